import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useText } from '../../i18n/text.ts'
import { JobItems } from '../jobs/JobItems.tsx'
import { sourcesMessages } from './messages/text.ts'
import { sourceJobsQuery } from './queries.ts'

/** The list of jobs has the rest, with filters. */
const JOBS_SHOWN_MAX = 30

export function SourceJobs({ sourceId }: { readonly sourceId: string }) {
  const text = useText(sourcesMessages)
  const query = useQuery(sourceJobsQuery(sourceId, JOBS_SHOWN_MAX))
  return (
    <section className="om-panel" data-testid="source-jobs">
      <JobItems query={query} empty={text('jobs.empty')} />
      <p>
        <Link to="/jobs" search={{ sourceId }}>
          {text('jobs.all')}
        </Link>
      </p>
    </section>
  )
}
