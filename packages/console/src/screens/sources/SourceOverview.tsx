import { useMemo } from 'react'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import type { Point } from '@openmaas/api/resources/point'
import type { Source } from '@openmaas/api/resources/source'
import { useMay } from '../../api/session.ts'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { Chart } from '../../ui/Chart.tsx'
import { CopyButton } from '../../ui/CopyButton.tsx'
import { Empty } from '../../ui/Empty.tsx'
import { Labels } from '../../ui/Labels.tsx'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { Time } from '../../ui/Time.tsx'
import { DatabaseFacts } from './DatabaseFacts.tsx'
import { SourceTrends } from '../trends/SourceTrends.tsx'
import { sourcesMessages } from './messages/text.ts'
import { newestPointsQuery } from './queries.ts'
import { PolicyLink } from './source-columns.tsx'
import { SourceKind } from './SourceKind.tsx'
import { useHostName, usePolicyName, usePoolName } from './use-names.ts'

export function SourceOverview({ source }: { readonly source: Source }) {
  const text = useText(sourcesMessages)
  const may = useMay()
  return (
    <div className="om-columns">
      <section className="om-panel">
        <h2>{text('facts')}</h2>
        <Facts source={source} />
      </section>
      {source.database !== null && source.database !== undefined && (
        <DatabaseFacts sourceId={source.id} database={source.database} />
      )}
      {may('point.read') && <NewestPoints sourceId={source.id} />}
      <SourceTrends sourceId={source.id} />
    </div>
  )
}

function Facts({ source }: { readonly source: Source }) {
  const text = useText(sourcesMessages)
  const may = useMay()
  const hostName = useHostName()
  const policyName = usePolicyName()
  const poolName = usePoolName()
  return (
    <dl className="om-facts">
      <dt>{text('kind')}</dt>
      <dd>
        <SourceKind kind={source.kind} />
      </dd>
      <dt>{text('host')}</dt>
      <dd>
        {may('host.read') ? (
          <Link to="/hosts/$hostId" params={{ hostId: source.hostId }}>
            {hostName(source.hostId)}
          </Link>
        ) : (
          hostName(source.hostId)
        )}
      </dd>
      <dt>{text('path')}</dt>
      <dd>
        <code className="om-code">{source.path}</code>
      </dd>
      <dt>{text('policy')}</dt>
      <dd>
        <PolicyLink id={source.effectivePolicyId} name={policyName} />{' '}
        {source.policyId === null && source.effectivePolicyId !== null && (
          <span className="om-quiet">{text('policy.byLabels')}</span>
        )}
      </dd>
      <dt>{text('pool')}</dt>
      <dd>{source.poolId === null ? text('pool.chosen') : poolName(source.poolId)}</dd>
      <dt>{text('labels')}</dt>
      <dd>
        <Labels labels={source.labels} />
      </dd>
      <dt>{text('createdAt')}</dt>
      <dd>
        <Time at={source.createdAt} />
      </dd>
      <dt>{text('id')}</dt>
      <dd>
        <code className="om-code">{source.id}</code>
        <CopyButton value={source.id} />
      </dd>
    </dl>
  )
}

/** Bars of the picture; more would be hairs. */
const POINTS_SHOWN = 60
const POINTS_LISTED = 5

function NewestPoints({ sourceId }: { readonly sourceId: string }) {
  const text = useText(sourcesMessages)
  const format = useFormat()
  const { data, error } = useQuery(newestPointsQuery(sourceId, POINTS_SHOWN))
  const points = data?.items ?? []
  return (
    <section className="om-panel" data-testid="newest-points">
      <h2>{text('change')}</h2>
      {error !== null && <ProblemView error={error} />}
      {data !== undefined && points.length === 0 && <Empty message={text('points.empty')} />}
      {points.length > 1 && <ChangePicture points={points} />}
      <ul className="om-steps">
        {points.slice(0, POINTS_LISTED).map((point) => (
          <li key={point.id}>
            <Link
              to="/sources/$sourceId"
              params={{ sourceId }}
              search={{ tab: 'timeline', point: point.id }}
            >
              <Time at={point.takenAt} />
            </Link>
            <span>
              {text('point.sizes', {
                size: format.bytes(point.sizeBytes),
                added: format.bytes(point.addedBytes),
              })}
            </span>
          </li>
        ))}
      </ul>
    </section>
  )
}

/** What each point added to the pool: an unusual day stands out. */
function ChangePicture({ points }: { readonly points: readonly Point[] }) {
  const text = useText(sourcesMessages)
  const format = useFormat()
  const option = useMemo(
    () => ({
      grid: { left: 8, right: 16, top: 16, bottom: 4, containLabel: true },
      tooltip: { trigger: 'axis', valueFormatter: (value: number) => format.bytes(value) },
      xAxis: { type: 'time' },
      yAxis: { type: 'value', axisLabel: { formatter: (value: number) => format.bytes(value) } },
      series: [
        {
          type: 'bar',
          barMaxWidth: 12,
          data: points.toReversed().map(({ takenAt, addedBytes }) => [takenAt, addedBytes]),
        },
      ],
    }),
    [points, format],
  )
  return <Chart option={option} label={text('change.label')} height={180} />
}
