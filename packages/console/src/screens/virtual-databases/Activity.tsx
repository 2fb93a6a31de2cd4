/** Who did what with it, as the audit log has it. */
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useText } from '../../i18n/text.ts'
import { Empty } from '../../ui/Empty.tsx'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { Time } from '../../ui/Time.tsx'
import { Outcome } from '../audit/Outcome.tsx'
import { databasesMessages } from './messages/text.ts'
import { activityQuery } from './queries.ts'
import { useOwnerName } from './use-owner-name.ts'

/** The audit log has the rest, with filters. */
const SHOWN_MAX = 50

export function Activity({ virtualDatabaseId }: { readonly virtualDatabaseId: string }) {
  const text = useText(databasesMessages)
  const ownerName = useOwnerName()
  const { data, error } = useQuery(activityQuery(virtualDatabaseId, SHOWN_MAX))
  return (
    <section className="om-panel" data-testid="activity">
      {error !== null && <ProblemView error={error} />}
      {data?.items.length === 0 && <Empty message={text('activity.empty')} />}
      <ul className="om-steps">
        {data?.items.map(({ seq, at, action, outcome, actor, reason }) => (
          <li key={seq}>
            <Time at={at} />
            <code className="om-code">{action}</code>
            <Outcome outcome={outcome} />
            <span>{ownerName(actor)}</span>
            {reason !== null && <span className="om-quiet">{reason}</span>}
          </li>
        ))}
      </ul>
      <p>
        <Link to="/audit" search={{ object: virtualDatabaseId }}>
          {text('activity.all')}
        </Link>
      </p>
    </section>
  )
}
