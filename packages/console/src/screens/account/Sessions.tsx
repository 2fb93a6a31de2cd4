import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import Button from 'antd/es/button'
import { apiCall } from '../../api/queries.ts'
import { useText } from '../../i18n/text.ts'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { Time } from '../../ui/Time.tsx'
import { accountMessages } from './messages/text.ts'
import { sessionsQuery } from './routes.ts'

/** Where somebody is logged in with this account, and an end to it. */
export function Sessions() {
  const text = useText(accountMessages)
  const queryClient = useQueryClient()
  const { data, error } = useQuery(sessionsQuery)
  const end = useMutation({
    mutationFn: (sessionId: string) => apiCall('endMySession', { params: { sessionId } }),
    onSettled: () => queryClient.invalidateQueries({ queryKey: sessionsQuery.queryKey }),
  })
  const failure = error ?? end.error
  return (
    <section className="om-panel" data-testid="sessions">
      <h2>{text('sessions')}</h2>
      {failure !== null && <ProblemView error={failure} />}
      <ul className="om-steps">
        {data?.items.map(({ id, address, current, createdAt, lastSeenAt }) => (
          <li key={id}>
            <code className="om-code">{address}</code>
            <span>
              {text('sessions.created')} <Time at={createdAt} />
            </span>
            <span>
              {text('sessions.seen')} <Time at={lastSeenAt} />
            </span>
            <span className="om-space" />
            {current ? (
              <strong>{text('sessions.current')}</strong>
            ) : (
              <Button size="small" onClick={() => end.mutate(id)} data-testid="end-session">
                {text('sessions.end')}
              </Button>
            )}
          </li>
        ))}
      </ul>
    </section>
  )
}
