import type { Point } from '@openmaas/api/resources/point'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { timelineMessages } from './messages/text.ts'

interface Props {
  readonly point: Point
  /** Points that lie at the same place of the line. */
  readonly count: number
}

export function PointTooltip({ point, count }: Props) {
  const text = useText(timelineMessages)
  const format = useFormat()
  const { takenAt, sizeBytes, addedBytes, verifiedAt, lockUntil, warningCount } = point
  const lines = [
    format.exact(takenAt),
    text('tooltip.sizes', { size: format.bytes(sizeBytes), added: format.bytes(addedBytes) }),
    text(`consistency.${point.consistency}`),
    verifiedAt === null
      ? text('unverified')
      : text('tooltip.verified', { at: format.exact(verifiedAt) }),
    ...(warningCount > 0 ? [text('warnings', { count: warningCount })] : []),
    ...(lockUntil === null ? [] : [text('tooltip.locked', { at: format.exact(lockUntil) })]),
    ...(count > 1 ? [text('mark.points', { count })] : []),
  ]
  return (
    <>
      {lines.map((line) => (
        <div key={line}>{line}</div>
      ))}
    </>
  )
}
