/** Of a database: how its standby stands, and which seconds can be had. */
import { useQuery } from '@tanstack/react-query'
import type { Source } from '@openmaas/api/resources/source'
import { useMay } from '../../api/session.ts'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { Time } from '../../ui/Time.tsx'
import { recoverRangeQuery } from '../timeline/queries.ts'
import { sourcesMessages } from './messages/text.ts'

interface Props {
  readonly sourceId: string
  readonly database: NonNullable<Source['database']>
}

export function DatabaseFacts({ sourceId, database }: Props) {
  const text = useText(sourcesMessages)
  const format = useFormat()
  const { status, engineVersion, selfService, synchronous } = database
  const isFollowing = status.state === 'following'
  return (
    <section className="om-panel" data-testid="database-facts">
      <h2>{text('database')}</h2>
      <p className={status.state === 'broken' ? 'om-state-failed' : ''}>
        {text(`database.${status.state}`)} <span lang="en">{status.reason}</span>
      </p>
      {status.mustReseed && <p className="om-state-warning">{text('database.mustReseed')}</p>}
      <dl className="om-facts">
        <dt>{text('database.version')}</dt>
        <dd>{engineVersion === '' ? '–' : engineVersion}</dd>
        {isFollowing && status.lagMs !== null && (
          <>
            <dt>{text('database.lag')}</dt>
            <dd>
              {format.duration(status.lagMs)}
              {status.lagBytes !== null && ` · ${format.bytes(status.lagBytes)}`}
            </dd>
          </>
        )}
        {status.retainedBytes !== null && (
          <>
            <dt>{text('database.retained')}</dt>
            <dd>
              {text('database.retained.of', {
                size: format.bytes(status.retainedBytes),
                limit: format.bytes(database.retainedLimitBytes),
              })}
            </dd>
          </>
        )}
        <dt>{text('database.synchronous')}</dt>
        <dd>{text(synchronous ? 'database.synchronous.yes' : 'database.synchronous.no')}</dd>
        <dt>{text('database.selfService')}</dt>
        <dd>{text(`database.selfService.${selfService}`)}</dd>
        <Range sourceId={sourceId} />
      </dl>
    </section>
  )
}

function Range({ sourceId }: { readonly sourceId: string }) {
  const text = useText(sourcesMessages)
  const format = useFormat()
  const may = useMay()
  const { data, error } = useQuery({
    ...recoverRangeQuery(sourceId),
    enabled: may('point.read'),
  })
  return (
    <>
      <dt>{text('database.range')}</dt>
      <dd>
        {error !== null && <ProblemView error={error} />}
        {data !== undefined &&
          (data.from === null || data.until === null) &&
          text('database.noRange')}
        {data !== undefined && data.from !== null && data.until !== null && (
          <>
            {format.exact(data.from)} –{' '}
            {data.live ? text('database.now') : <Time at={data.until} />}
          </>
        )}
      </dd>
    </>
  )
}
