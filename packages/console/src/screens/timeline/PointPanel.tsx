/** The point that is looked at: what it is, why it is kept, and what can be done with it. */
import type { ReactNode } from 'react'
import type { Point } from '@openmaas/api/resources/point'
import { useFormat } from '../../format/use-format.ts'
import { hasKey, useText } from '../../i18n/text.ts'
import { CopyButton } from '../../ui/CopyButton.tsx'
import { StateTag } from '../../ui/StateTag.tsx'
import { Time } from '../../ui/Time.tsx'
import { usePoolName } from '../sources/use-names.ts'
import { timelineMessages } from './messages/text.ts'
import { PointActions } from './PointActions.tsx'

interface Props {
  readonly point: Point
}

export function PointPanel({ point }: Props) {
  const text = useText(timelineMessages)
  const format = useFormat()
  return (
    <section className="om-panel om-point-panel" data-testid="point" aria-live="polite">
      <h2>
        {format.exact(point.takenAt)} <StateTag state={point.state} />
      </h2>
      <Facts point={point} />
      <PointActions point={point} />
      {point.state !== 'available' && <p className="om-quiet">{text('notAvailable')}</p>}
    </section>
  )
}

function Facts({ point }: { readonly point: Point }) {
  const text = useText(timelineMessages)
  const format = useFormat()
  const reasonText = useReason()
  const poolName = usePoolName()
  const { sizeBytes, addedBytes, itemCount, warningCount, verifiedAt, lockUntil } = point
  const rows: readonly (readonly [string, ReactNode])[] = [
    [text('taken'), <Time key="taken" at={point.takenAt} />],
    [text('contains'), text('contains.value', { size: format.bytes(sizeBytes), count: itemCount })],
    [text('added'), format.bytes(addedBytes)],
    [text('consistency'), text(`consistency.${point.consistency}`)],
    [
      text('verification'),
      verifiedAt === null ? text('unverified') : <Time key="verified" at={verifiedAt} />,
    ],
    [text('locked'), lockUntil === null ? text('locked.no') : format.exact(lockUntil)],
    [
      text('kept'),
      point.reasons.length === 0 ? text('kept.no') : point.reasons.map(reasonText).join(' · '),
    ],
    ...(warningCount > 0
      ? ([
          [
            text('problems'),
            <span key="warnings" className="om-state-warning">
              {text('warnings', { count: warningCount })}
            </span>,
          ],
        ] as const)
      : []),
    [text('pool'), poolName(point.poolId)],
    [
      text('id'),
      <span key="id">
        <code className="om-code">{point.id}</code>
        <CopyButton value={point.id} />
      </span>,
    ],
  ]
  return (
    <dl className="om-facts">
      {rows.flatMap(([label, value]) => [
        <dt key={label}>{label}</dt>,
        <dd key={`${label}=`}>{value}</dd>,
      ])}
    </dl>
  )
}

/** "daily 2026-11-22" → "每日 2026-11-22"; a reason that a newer server adds keeps its words. */
function useReason(): (reason: string) => string {
  const text = useText(timelineMessages)
  return (reason) => {
    const [word = '', ...rest] = reason.split(' ')
    const key = `reason.${word}`
    const shown = hasKey(timelineMessages, key) ? text(key as 'reason.last') : word
    return [shown, ...rest].join(' ')
  }
}
