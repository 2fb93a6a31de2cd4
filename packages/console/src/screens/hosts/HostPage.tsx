/** One machine: how it is, what is protected on it, and what an operator does about it. */
import { useState } from 'react'
import { useMutation, useQuery, useQueryClient, useSuspenseQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import Button from 'antd/es/button'
import type { Host } from '@openmaas/api/resources/host'
import { apiCall, apiQuery } from '../../api/queries.ts'
import { useMay } from '../../api/session.ts'
import { hasScreen } from '../../app/screens-present.ts'
import { useText } from '../../i18n/text.ts'
import { DestructiveDialog, type Plan } from '../../ui/DestructiveDialog.tsx'
import { Empty } from '../../ui/Empty.tsx'
import { Page } from '../../ui/Page.tsx'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { StateTag } from '../../ui/StateTag.tsx'
import { Time } from '../../ui/Time.tsx'
import { HostEdit } from './HostEdit.tsx'
import { HostFacts } from './HostFacts.tsx'
import { JoinLine } from './JoinLine.tsx'
import { hostsMessages } from './messages/text.ts'
import { hostQuery } from './queries.ts'
import { hostRoute } from './routes.ts'

export function HostPage() {
  const text = useText(hostsMessages)
  const may = useMay()
  const { hostId } = hostRoute.useParams()
  const { edit } = hostRoute.useSearch()
  const { data: host } = useSuspenseQuery(hostQuery(hostId))
  return (
    <Page
      title={host.name}
      mark={<StateTag state={host.state} />}
      crumbs={[{ label: text('title'), to: '/hosts' }]}
      actions={<Actions host={host} />}
      cli={`openmaas host show ${host.name}`}
      api={`GET /api/v1/hosts/${hostId}`}
    >
      {host.drained && <p className="om-state-warning">{text('drained.detail')}</p>}
      {edit === true && may('host.write') && <HostEdit host={host} />}
      <div className="om-columns">
        <section className="om-panel">
          <h2>{text('facts')}</h2>
          <HostFacts host={host} />
        </section>
        {host.kind === 'agent' && may('source.read') && <HostSources host={host} />}
      </div>
      {may('host.enrol') && host.state !== 'removed' && (
        <section className="om-panel">
          <h2>{text('rejoin')}</h2>
          <JoinLine kind={host.kind} hostId={host.id} />
        </section>
      )}
    </Page>
  )
}

function Actions({ host }: { readonly host: Host }) {
  const text = useText(hostsMessages)
  const may = useMay()
  const navigate = useNavigate({ from: '/hosts/$hostId' })
  const queryClient = useQueryClient()
  const [isRemoving, setRemoving] = useState(false)
  const params = { hostId: host.id }
  const drain = useMutation({
    mutationFn: () =>
      host.drained ? apiCall('resumeHost', { params }) : apiCall('drainHost', { params, body: {} }),
    onSettled: () => queryClient.invalidateQueries({ queryKey: ['hosts'] }),
  })
  return (
    <>
      {may('host.write') && (
        <Button
          onClick={() => void navigate({ search: (old) => ({ edit: old.edit !== true }) })}
          data-testid="edit-host"
        >
          {text('edit')}
        </Button>
      )}
      {may('host.write') && (
        <Button loading={drain.isPending} onClick={() => drain.mutate()} data-testid="drain-host">
          {text(host.drained ? 'resume' : 'drain')}
        </Button>
      )}
      {may('host.remove') && (
        <Button danger onClick={() => setRemoving(true)} data-testid="remove-host">
          {text('remove')}
        </Button>
      )}
      {host.kind === 'agent' && may('source.write') && hasScreen('/protect') && (
        <Link to="/protect" search={{ hostId: host.id }}>
          <Button type="primary" tabIndex={-1} data-testid="protect-here">
            {text('protectHere')}
          </Button>
        </Link>
      )}
      {drain.isError && <ProblemView error={drain.error} />}
      {isRemoving && (
        <DestructiveDialog
          title={text('remove')}
          name={host.name}
          plan={(body) => apiCall('removeHost', { params, body, dryRun: true }) as Promise<Plan>}
          perform={async (body) => {
            await apiCall('removeHost', { params, body })
            await queryClient.invalidateQueries({ queryKey: ['hosts'] })
            void navigate({ to: '/hosts', search: {} })
          }}
          onClose={() => setRemoving(false)}
        />
      )}
    </>
  )
}

const SHOWN_MAX = 50

function HostSources({ host }: { readonly host: Host }) {
  const text = useText(hostsMessages)
  const query = { 'filter[hostId]': host.id, limit: SHOWN_MAX }
  const { data, error } = useQuery(apiQuery('listSources', { query }))
  return (
    <section className="om-panel" data-testid="host-sources">
      <h2>{text('sources')}</h2>
      {error !== null && <ProblemView error={error} />}
      {data?.items.length === 0 && <Empty message={text('sources.empty')} />}
      <ul className="om-steps">
        {data?.items.map((source) => (
          <li key={source.id}>
            <Link to="/sources/$sourceId" params={{ sourceId: source.id }}>
              {source.name}
            </Link>
            <code className="om-code">{source.path}</code>
            <Time at={source.lastSuccessAt} />
          </li>
        ))}
      </ul>
      {data !== undefined && data.next !== null && (
        <Link to="/sources" search={{ hostId: host.id }}>
          {text('sources.all')}
        </Link>
      )}
    </section>
  )
}
