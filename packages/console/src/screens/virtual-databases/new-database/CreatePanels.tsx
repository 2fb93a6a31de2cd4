import { useEffect, useState } from 'react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import Alert from 'antd/es/alert'
import Button from 'antd/es/button'
import { ApiError } from '@openmaas/api/client'
import type { Host } from '@openmaas/api/resources/host'
import type { Source } from '@openmaas/api/resources/source'
import { apiCall } from '../../../api/queries.ts'
import { useIsLimited } from '../../../api/session.ts'
import { useText } from '../../../i18n/text.ts'
import { ProblemView } from '../../../ui/ProblemView.tsx'
import { useNow } from '../../../ui/Time.tsx'
import { preferredHost } from '../../media/mount-form.ts'
import { recoverRangeQuery } from '../../timeline/queries.ts'
import { createCli, emptyForm, proposeName, toCreateBody } from './create-form.ts'
import { CreateFields } from './CreateFields.tsx'
import { newDatabaseMessages } from './messages/text.ts'
import { type MomentForm, momentText, NEWEST, toMomentBody } from './moment.ts'
import { MomentField } from './MomentField.tsx'
import { PlanPanel } from './PlanPanel.tsx'
import { askPlan, type CreateBody, type NewDatabaseSearch } from './queries.ts'
import { zoneOfBrowser } from './RefreshField.tsx'

interface Props {
  readonly source: Source
  readonly hosts: readonly Host[]
  readonly search: NewDatabaseSearch
  /** The same by CLI, for the foot of the page. */
  readonly onCli: (cli: string) => void
}

const NOW_EVERY_MS = 15_000

/** What the address asked for; else the newest point. */
function firstMoment({ pointId, at }: NewDatabaseSearch): MomentForm {
  if (pointId !== undefined) return { ...NEWEST, kind: 'point', pointId }
  if (at !== undefined) return { ...NEWEST, kind: 'time', time: momentText(new Date(at)) }
  return NEWEST
}

function useCreate() {
  const navigate = useNavigate()
  const queryClient = useQueryClient()
  return useMutation({
    mutationFn: (body: CreateBody) => apiCall('createVirtualDatabase', { body }),
    onSuccess: async (answer) => {
      await queryClient.invalidateQueries({ queryKey: ['virtual-databases'] })
      if (!('virtualDatabaseId' in answer)) return
      const { virtualDatabaseId } = answer
      await navigate({ to: '/virtual-databases/$virtualDatabaseId', params: { virtualDatabaseId } })
    },
    // A request for consent was made: the list shows it.
    onError: () => queryClient.invalidateQueries({ queryKey: ['users', 'listApprovals'] }),
  })
}

const isAsked = (error: unknown): boolean =>
  error instanceof ApiError && error.code === 'APPROVAL_REQUIRED'

/** What was typed and chosen, and what would be sent. */
function useDraft({ source, hosts, search }: Props) {
  const isLimited = useIsLimited()
  const now = useNow(NOW_EVERY_MS)
  const range = useQuery(recoverRangeQuery(source.id))
  const [moment, setMoment] = useState(() => firstMoment(search))
  const [form, setForm] = useState(() => emptyForm(isLimited, source.database?.volumeBytes ?? null))
  const [begun] = useState(() => new Date())
  const offer = isLimited ? (source.database?.selfService ?? 'off') : 'on'
  const ownHostId = source.database?.standbyHostId ?? source.hostId
  const hostId = form.hostId ?? preferredHost(hosts, ownHostId)
  const name = form.name ?? proposeName(source.name, begun)
  const wanted = toMomentBody(moment, now, range.data)
  const timezone = zoneOfBrowser()
  const situation = { sourceId: source.id, hostId, name, isLimited, moment: wanted, timezone }
  const hostName = hosts.find(({ id }) => id === hostId)?.name ?? '<host>'
  return {
    form,
    setForm,
    moment,
    setMoment,
    now,
    offer,
    ownHostId,
    hostId,
    name,
    body: toCreateBody(form, { ...situation, asksConsent: offer === 'approval' }),
    // A dry run needs no reason: it is shown before one is typed.
    planned: toCreateBody(form, { ...situation, asksConsent: false }),
    cli: createCli(source.name, hostName, name, form, wanted),
  }
}

export function CreatePanels(props: Props) {
  const { source, hosts, onCli } = props
  const text = useText(newDatabaseMessages)
  const draft = useDraft(props)
  const create = useCreate()
  const { moment, setMoment, form, setForm, offer, body, cli } = draft
  useEffect(() => onCli(cli), [cli, onCli])
  if (create.isError && isAsked(create.error)) return <Asked />
  return (
    <div className="om-create">
      <div>
        <section className="om-panel">
          <h2>{text('moment')}</h2>
          <MomentField
            sourceId={source.id}
            engine={source.kind}
            value={moment}
            now={draft.now}
            canFollow
            onChange={(changed) => setMoment((old) => ({ ...old, ...changed }))}
          />
        </section>
        <section className="om-panel">
          <h2>{text('where')}</h2>
          <CreateFields
            form={form}
            name={draft.name}
            hostId={draft.hostId}
            hosts={hosts}
            ownHostId={draft.ownHostId}
            asksConsent={offer === 'approval'}
            onChange={(changed) => setForm((old) => ({ ...old, ...changed }))}
          />
        </section>
      </div>
      <div className="om-panel om-create-plan">
        <PlanPanel
          body={draft.planned}
          ask={askPlan}
          onProduction={({ takesPointFirst }) => (
            <p className="om-quiet">
              {text(takesPointFirst ? 'plan.production.first' : 'plan.production')}
            </p>
          )}
        />
        {offer === 'off' && <p className="om-state-warning">{text('off.text')}</p>}
        {create.isError && <ProblemView error={create.error} />}
        <Button
          type="primary"
          size="large"
          block
          loading={create.isPending}
          disabled={body === null || offer === 'off'}
          onClick={() => body !== null && create.mutate(body)}
          data-testid="database-go"
        >
          {text(offer === 'approval' ? 'ask' : 'go')}
        </Button>
      </div>
    </div>
  )
}

function Asked() {
  const text = useText(newDatabaseMessages)
  return (
    <div data-testid="database-asked">
      <Alert
        type="info"
        showIcon
        title={text('asked.title')}
        description={text('asked.text')}
        action={
          <Link to="/virtual-databases" data-testid="asked-go">
            <Button tabIndex={-1}>{text('asked.go')}</Button>
          </Link>
        }
      />
    </div>
  )
}
