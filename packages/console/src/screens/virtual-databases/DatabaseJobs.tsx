import { useQuery } from '@tanstack/react-query'
import { useText } from '../../i18n/text.ts'
import { JobItems } from '../jobs/JobItems.tsx'
import { databasesMessages } from './messages/text.ts'
import { databaseJobsQuery } from './queries.ts'

/** Of one that is refreshed each hour: two days. */
const JOBS_SHOWN_MAX = 50

export function DatabaseJobs({ virtualDatabaseId }: { readonly virtualDatabaseId: string }) {
  const text = useText(databasesMessages)
  const query = useQuery(databaseJobsQuery(virtualDatabaseId, JOBS_SHOWN_MAX))
  return (
    <section className="om-panel" data-testid="database-jobs">
      <JobItems query={query} empty={text('jobs.empty')} />
    </section>
  )
}
