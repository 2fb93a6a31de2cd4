/**
 * What a data consumer asked consent for. Once somebody has consented, one click makes it: the
 * consent is bound to the exact parameters, so these are sent again.
 */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import Button from 'antd/es/button'
import type { Approval } from '@openmaas/api/resources/approval'
import type { BodyFor } from '@openmaas/api/routes/routes'
import { apiCall } from '../../api/queries.ts'
import { useText } from '../../i18n/text.ts'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { Time } from '../../ui/Time.tsx'
import { useMediumNames } from '../media/use-medium-names.ts'
import { databasesMessages } from './messages/text.ts'
import { requestsQuery } from './queries.ts'

/** Consent is no event that a data consumer hears of. */
const RENEW_EVERY_MS = 15_000

const SHOWN: ReadonlySet<string> = new Set(['waiting', 'approved', 'refused'])

const nameOf = ({ params, object }: Approval): string =>
  typeof params['name'] === 'string' ? params['name'] : object

export function Requests() {
  const text = useText(databasesMessages)
  const names = useMediumNames()
  const { data, error } = useQuery({ ...requestsQuery, refetchInterval: RENEW_EVERY_MS })
  const requests = (data?.items ?? []).filter(
    ({ action, state }) => action === 'createVirtualDatabase' && SHOWN.has(state),
  )
  if (error !== null) return <ProblemView error={error} />
  if (requests.length === 0) return null
  return (
    <section className="om-panel" data-testid="requests">
      <h2>{text('requests.title')}</h2>
      <ul className="om-steps">
        {requests.map((request) => (
          <li key={request.id} data-state={request.state}>
            <strong>{nameOf(request)}</strong>
            <span>{names.source(request.object)}</span>
            <span className={request.state === 'refused' ? 'om-state-failed' : 'om-quiet'}>
              {text(`requests.${request.state as 'waiting'}`)}
            </span>
            {request.state !== 'refused' && (
              <span className="om-quiet">
                {text('requests.until')} <Time at={request.expiresAt} />
              </span>
            )}
            {request.state === 'approved' && <CreateNow request={request} />}
          </li>
        ))}
      </ul>
    </section>
  )
}

function CreateNow({ request }: { readonly request: Approval }) {
  const text = useText(databasesMessages)
  const navigate = useNavigate()
  const queryClient = useQueryClient()
  const { id: approvalId, params, reason } = request
  const create = useMutation({
    mutationFn: () => {
      // As it was asked for; the server compares it with what was consented to.
      const body = { ...params, reason, approvalId } as BodyFor<'createVirtualDatabase'>
      return apiCall('createVirtualDatabase', { body })
    },
    onSuccess: async (answer) => {
      await queryClient.invalidateQueries({ queryKey: ['virtual-databases'] })
      await queryClient.invalidateQueries({ queryKey: requestsQuery.queryKey })
      if (!('virtualDatabaseId' in answer)) return
      const { virtualDatabaseId } = answer
      await navigate({ to: '/virtual-databases/$virtualDatabaseId', params: { virtualDatabaseId } })
    },
  })
  return (
    <>
      <Button
        type="primary"
        size="small"
        loading={create.isPending}
        onClick={() => create.mutate()}
        data-testid="request-create"
      >
        {text('requests.create')}
      </Button>
      {create.isError && <ProblemView error={create.error} />}
    </>
  )
}
