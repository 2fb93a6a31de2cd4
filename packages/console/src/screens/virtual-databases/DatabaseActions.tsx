/** The verbs of one virtual database: those that its state and the role allow. */
import { useState } from 'react'
import { DownOutlined } from '@ant-design/icons'
import Button from 'antd/es/button'
import Dropdown from 'antd/es/dropdown'
import type { VirtualDatabase } from '@openmaas/api/resources/virtual-database'
import { apiCall } from '../../api/queries.ts'
import { useMay } from '../../api/session.ts'
import { useText } from '../../i18n/text.ts'
import { ConfirmButton } from '../../ui/ConfirmButton.tsx'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { BranchDialog } from './BranchDialog.tsx'
import { DropDialog } from './DropDialog.tsx'
import { EditDialog } from './EditDialog.tsx'
import { databasesMessages } from './messages/text.ts'
import { PromoteDialog } from './PromoteDialog.tsx'
import { RefreshDialog } from './RefreshDialog.tsx'
import { ResetDialog } from './ResetDialog.tsx'
import { BookmarkDialog, ExtendDialog } from './SmallDialogs.tsx'
import { canDo, type Verb } from './states.ts'
import { useVerb } from './use-verb.ts'
import { VerifyDialog } from './VerifyDialog.tsx'

interface Props {
  readonly database: VirtualDatabase
}
/** What is asked in a dialog. */
type Asked = Verb | 'verify'

export function DatabaseActions({ database }: Props) {
  const text = useText(databasesMessages)
  const may = useMay()
  const [asked, setAsked] = useState<Asked>()
  const can = (verb: Verb): boolean => canDo(verb, database, may)
  const close = (): void => setAsked(undefined)
  return (
    <>
      {(['bookmark', 'branch', 'reset'] as const)
        .filter((verb) => can(verb))
        .map((verb) => (
          <Button key={verb} onClick={() => setAsked(verb)} data-testid={verb}>
            {text(`verb.${verb}`)}
          </Button>
        ))}
      {can('stop') && <Stop database={database} />}
      {can('start') && <Start database={database} />}
      <More database={database} onAsk={setAsked} />
      {can('refresh') && (
        <Button type="primary" onClick={() => setAsked('refresh')} data-testid="refresh">
          {text('verb.refresh')}
        </Button>
      )}
      {asked !== undefined && <Dialog asked={asked} database={database} onClose={close} />}
    </>
  )
}

function Stop({ database }: Props) {
  const text = useText(databasesMessages)
  const params = { virtualDatabaseId: database.id }
  const stop = useVerb(() => apiCall('stopVirtualDatabase', { params, body: {} }))
  return (
    <>
      <ConfirmButton
        size="middle"
        verb={text('verb.stop')}
        question={text('stop.confirm')}
        no={text('cancel')}
        testId="stop"
        isLoading={stop.isPending}
        onConfirm={() => stop.mutate()}
      />
      {stop.isError && <ProblemView error={stop.error} />}
    </>
  )
}

function Start({ database }: Props) {
  const text = useText(databasesMessages)
  const params = { virtualDatabaseId: database.id }
  const start = useVerb(() => apiCall('startVirtualDatabase', { params, body: {} }))
  return (
    <>
      <Button loading={start.isPending} onClick={() => start.mutate()} data-testid="start">
        {text('verb.start')}
      </Button>
      {start.isError && <ProblemView error={start.error} />}
    </>
  )
}

function More({ database, onAsk }: Props & { readonly onAsk: (asked: Asked) => void }) {
  const text = useText(databasesMessages)
  const may = useMay()
  const { id: virtualDatabaseId, kept, version, pointId } = database
  const keep = useVerb(() =>
    apiCall('changeVirtualDatabase', {
      params: { virtualDatabaseId },
      body: { kept: !kept },
      ifMatch: `"${version}"`,
    }),
  )
  const can = (verb: Verb): boolean => canDo(verb, database, may)
  const canVerify = pointId !== null && database.endedAt === null && may('source.protect')
  const item = (key: Asked, word: string, danger = false) => ({
    key,
    danger,
    label: <span data-testid={key}>{word}</span>,
  })
  const items = [
    ...(can('extend') ? [item('extend', text('verb.extend'))] : []),
    ...(can('edit') ? [item('edit', text('verb.edit'))] : []),
    ...(can('keep') ? [item('keep', text(kept ? 'verb.unkeep' : 'verb.keep'))] : []),
    ...(canVerify ? [item('verify', text('verb.verify'))] : []),
    ...(can('promote') ? [item('promote', text('verb.promote'))] : []),
    ...(can('drop-keep-data') ? [item('drop-keep-data', text('verb.drop-keep-data'), true)] : []),
    ...(can('drop') ? [item('drop', text('verb.drop'), true)] : []),
    ...(can('force-drop') ? [item('force-drop', text('verb.force-drop'), true)] : []),
  ]
  if (items.length === 0) return null
  const choose = (key: Asked): void => {
    if (key === 'keep') keep.mutate()
    else onAsk(key)
  }
  return (
    <>
      <Dropdown trigger={['click']} menu={{ items, onClick: ({ key }) => choose(key as Asked) }}>
        <Button data-testid="more">
          {text('verb.more')} <DownOutlined aria-hidden />
        </Button>
      </Dropdown>
      {keep.isError && <ProblemView error={keep.error} />}
    </>
  )
}

interface DialogProps extends Props {
  readonly asked: Asked
  readonly onClose: () => void
}

function Dialog({ asked, database, onClose }: DialogProps) {
  const shared = { database, onClose }
  switch (asked) {
    case 'refresh':
      return <RefreshDialog {...shared} />
    case 'reset':
      return <ResetDialog {...shared} bookmarkId={null} />
    case 'branch':
      return <BranchDialog {...shared} bookmarkId={null} />
    case 'bookmark':
      return <BookmarkDialog {...shared} />
    case 'extend':
      return <ExtendDialog {...shared} />
    case 'edit':
      return <EditDialog {...shared} />
    case 'verify':
      return <VerifyDialog pointId={database.pointId ?? ''} onClose={onClose} />
    case 'promote':
      return <PromoteDialog {...shared} />
    case 'drop':
    case 'drop-keep-data':
    case 'force-drop':
      return <DropDialog {...shared} verb={asked} />
    default:
      return null
  }
}
