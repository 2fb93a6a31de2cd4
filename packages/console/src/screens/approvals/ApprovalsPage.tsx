/** Four eyes: what somebody wants to do, and the consent of another. */
import { useMemo, useState } from 'react'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import Button from 'antd/es/button'
import type { Approval } from '@openmaas/api/resources/approval'
import { apiCall } from '../../api/queries.ts'
import { useMay, useMe } from '../../api/session.ts'
import { useText } from '../../i18n/text.ts'
import { codeColumn, timeColumn, wordColumn } from '../../ui/columns.tsx'
import { DataList, type Column } from '../../ui/DataList.tsx'
import { Empty } from '../../ui/Empty.tsx'
import { FilterSelect } from '../../ui/filters.tsx'
import { TextField } from '../../ui/fields.tsx'
import { FormDialog } from '../../ui/FormDialog.tsx'
import { Page } from '../../ui/Page.tsx'
import { useList } from '../../ui/use-list.ts'
import { apiLine, toListQuery } from '../../ui/search-params.ts'
import { approvalsMessages } from './messages/text.ts'
import { APPROVAL_STATES, approvalsQuery } from './queries.ts'
import { approvalsRoute } from './routes.ts'

type Verb = 'approve' | 'refuse'
interface Deciding {
  readonly verb: Verb
  readonly approval: Approval
}

export function ApprovalsPage() {
  const text = useText(approvalsMessages)
  const search = approvalsRoute.useSearch()
  const list = useList(approvalsQuery(search))
  const [deciding, setDeciding] = useState<Deciding>()
  const state = search.state === undefined ? '' : ` --state ${search.state}`
  return (
    <Page
      title={text('title')}
      cli={`openmaas approval list${state}`}
      api={apiLine('GET', '/api/v1/approvals', toListQuery(search))}
    >
      <p className="om-quiet">{text('why')}</p>
      <DataList<Approval>
        {...list}
        name="approvals"
        columns={useColumns(setDeciding)}
        search={search}
        rowKey={({ id }) => id}
        filters={
          <FilterSelect
            name="state"
            label={text('filter.state')}
            any={text('filter.any')}
            value={search.state}
            options={APPROVAL_STATES.map((value) => ({ value, label: text(`state.${value}`) }))}
          />
        }
        empty={<Empty message={text('empty')} />}
      />
      {deciding !== undefined && <Decide {...deciding} onClose={() => setDeciding(undefined)} />}
    </Page>
  )
}

function Decide({ verb, approval, onClose }: Deciding & { readonly onClose: () => void }) {
  const text = useText(approvalsMessages)
  const queryClient = useQueryClient()
  const [note, setNote] = useState('')
  const decide = useMutation({
    mutationFn: () =>
      apiCall(verb, {
        params: { approvalId: approval.id },
        body: note.trim() === '' ? {} : { note: note.trim() },
      }),
    onSuccess: onClose,
    onSettled: () => queryClient.invalidateQueries({ queryKey: ['users'] }),
  })
  return (
    <FormDialog
      title={`${text(verb)}: ${approval.action}`}
      ok={text(verb)}
      isPending={decide.isPending}
      error={decide.error}
      onOk={() => decide.mutate()}
      onClose={onClose}
    >
      <p>{approval.reason}</p>
      <div>
        {text('params')}
        <div className="om-line">
          <pre className="om-code">
            {approval.object} {JSON.stringify(approval.params, null, 2)}
          </pre>
        </div>
      </div>
      <TextField label={text('note')} value={note} autoFocus onChange={setNote} testId="note" />
    </FormDialog>
  )
}

function useColumns(decide: (deciding: Deciding) => void): Column<Approval>[] {
  const text = useText(approvalsMessages)
  return useMemo(
    () => [
      {
        key: 'state',
        label: text('state'),
        cell: ({ state }) => <span data-state={state}>{text(`state.${state}`)}</span>,
        value: ({ state }) => state,
      },
      wordColumn('action', text('action'), ({ action }) => action),
      wordColumn('object', text('object'), ({ object }) => object),
      wordColumn('reason', text('reason'), ({ reason }) => reason),
      codeColumn('by', text('by'), ({ requestedBy }) => requestedBy),
      timeColumn('requestedAt', text('at'), ({ requestedAt }) => requestedAt, { sortable: true }),
      timeColumn('expires', text('expires'), ({ expiresAt }) => expiresAt),
      {
        key: 'decide',
        label: text('decided'),
        cell: (approval) => <Verdict approval={approval} decide={decide} />,
        value: ({ decidedBy }) => decidedBy,
      },
    ],
    [text, decide],
  )
}

interface VerdictProps {
  readonly approval: Approval
  readonly decide: (deciding: Deciding) => void
}

/** Who decided; before that the verbs, for who may. */
function Verdict({ approval, decide }: VerdictProps) {
  const text = useText(approvalsMessages)
  const mayDecide = useMay()('approval.decide')
  const me = useMe()

  const { state, requestedBy, decidedBy } = approval
  // One's own request is for another to decide.
  const isOwn = me?.user !== null && requestedBy === `user:${me?.user?.id}`
  if (state !== 'waiting' || !mayDecide || isOwn) return decidedBy ?? '–'
  return (
    <span style={{ display: 'flex', gap: 8 }}>
      <Button
        size="small"
        type="primary"
        onClick={() => decide({ verb: 'approve', approval })}
        data-testid="approve"
      >
        {text('approve')}
      </Button>
      <Button
        size="small"
        danger
        onClick={() => decide({ verb: 'refuse', approval })}
        data-testid="refuse"
      >
        {text('refuse')}
      </Button>
    </span>
  )
}
