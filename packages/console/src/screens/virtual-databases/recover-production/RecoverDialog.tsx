/**
 * Production is gone: a point is started where it stood. What will happen in plain words, the dry
 * run, the name typed again and a reason; then the page of the new one, which shows the way back.
 */
import { useState } from 'react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import Modal from 'antd/es/modal'
import type { Source } from '@openmaas/api/resources/source'
import { apiCall } from '../../../api/queries.ts'
import { useText } from '../../../i18n/text.ts'
import { DangerFields, isTyped, NO_DANGER } from '../../../ui/DestructiveDialog.tsx'
import { ProblemView } from '../../../ui/ProblemView.tsx'
import { useNow } from '../../../ui/Time.tsx'
import { preferredHost } from '../../media/mount-form.ts'
import { recoverRangeQuery } from '../../timeline/queries.ts'
import { NEWEST, toMomentBody } from '../new-database/moment.ts'
import { MomentField } from '../new-database/MomentField.tsx'
import { PlanPanel } from '../new-database/PlanPanel.tsx'
import { agentsQuery, type DatabasePlan } from '../new-database/queries.ts'
import '../virtual-databases.css'
import { recoverMessages } from './messages/text.ts'
import {
  firstRecovery,
  productionPlace,
  type RecoverBody,
  type RecoverWish,
  toRecoverWish,
} from './recover-form.ts'
import { RecoverFields } from './RecoverFields.tsx'

interface Props {
  readonly source: Source
  readonly onClose: () => void
}

const NOW_EVERY_MS = 15_000
const WIDTH_PX = 760
/** What the list below says in the reader's language. */
const SAID: ReadonlySet<string> = new Set([
  'Nothing confines it: superusers of production are superusers there.',
  'It is refused as long as production answers.',
])

function useRecover(onClose: () => void) {
  const navigate = useNavigate()
  const queryClient = useQueryClient()
  return useMutation({
    mutationFn: (body: RecoverBody) => apiCall('recoverProduction', { body }),
    onSuccess: async (answer) => {
      onClose()
      await queryClient.invalidateQueries({ queryKey: ['virtual-databases'] })
      if (!('virtualDatabaseId' in answer)) return
      const { virtualDatabaseId } = answer
      await navigate({ to: '/virtual-databases/$virtualDatabaseId', params: { virtualDatabaseId } })
    },
  })
}

/** What was typed and chosen, and what would be sent. */
function useDraft(source: Source) {
  const now = useNow(NOW_EVERY_MS)
  const hosts = useQuery(agentsQuery)
  const range = useQuery(recoverRangeQuery(source.id))
  const [moment, setMoment] = useState(NEWEST)
  const [form, setForm] = useState(() => firstRecovery(source))
  const [danger, setDanger] = useState(NO_DANGER)
  const agents = hosts.data?.items ?? []
  const ownHostId = source.database?.standbyHostId ?? source.hostId
  const hostId = form.hostId ?? preferredHost(agents, ownHostId)
  const wanted = toMomentBody(moment, now, range.data)
  const wish = toRecoverWish(form, { sourceId: source.id, hostId, moment: wanted })
  const error = hosts.error ?? range.error
  return { now, agents, hostId, moment, setMoment, form, setForm, danger, setDanger, wish, error }
}

export function RecoverDialog({ source, onClose }: Props) {
  const text = useText(recoverMessages)
  const recover = useRecover(onClose)
  const draft = useDraft(source)
  const { moment, form, danger, wish } = draft
  const { name } = source
  return (
    <Modal
      open
      destroyOnHidden
      width={WIDTH_PX}
      title={text('title', { name })}
      okText={text('go')}
      okButtonProps={{
        danger: true,
        disabled: wish === null || !isTyped(danger, name),
        loading: recover.isPending,
        'data-testid': 'recover-production-go',
      }}
      cancelButtonProps={{ 'data-testid': 'dialog-cancel' }}
      onOk={() =>
        wish !== null &&
        recover.mutate({ ...wish, confirm: danger.confirm, reason: danger.reason.trim() })
      }
      onCancel={onClose}
    >
      <div className="om-form" data-testid="recover-production">
        <Words source={source} isNewest={moment.kind === 'newest'} />
        <MomentField
          sourceId={source.id}
          engine={source.kind}
          value={moment}
          now={draft.now}
          newest={text('newest')}
          onChange={(changed) => draft.setMoment((old) => ({ ...old, ...changed }))}
        />
        <RecoverFields
          form={form}
          hostId={draft.hostId}
          hosts={draft.agents}
          onChange={(changed) => draft.setForm((old) => ({ ...old, ...changed }))}
        />
        {draft.error !== null && <ProblemView error={draft.error} />}
        <PlanPanel<RecoverWish>
          body={wish}
          ask={(asked, signal) => askRecoverPlan(asked, name, signal)}
          said={SAID}
          onProduction={() => null}
        />
        <DangerFields name={name} value={danger} onChange={draft.setDanger} />
        {recover.isError && <ProblemView error={recover.error} />}
      </div>
    </Modal>
  )
}

/** Name and reason are no part of what is planned; the route wants them all the same. */
function askRecoverPlan(
  wish: RecoverWish,
  confirm: string,
  signal: AbortSignal,
): Promise<DatabasePlan> {
  const body = { ...wish, confirm, reason: 'preview' }
  return apiCall('recoverProduction', { body, dryRun: true, signal }) as Promise<DatabasePlan>
}

function Words({ source, isNewest }: { readonly source: Source; readonly isNewest: boolean }) {
  const text = useText(recoverMessages)
  const place = productionPlace(source)
  return (
    <ul className="om-words" data-testid="recover-words">
      <li>{text(isNewest ? 'what.newest' : 'what.moment')}</li>
      <li>
        {text('what.stands')} {text('what.free')}
      </li>
      <li>
        {place === '' ? text('what.refused') : text('what.refused.at', { place })}{' '}
        <strong>{text('what.off')}</strong>
      </li>
      <li>{text('what.back')}</li>
    </ul>
  )
}
