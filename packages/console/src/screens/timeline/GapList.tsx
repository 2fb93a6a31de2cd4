/** What the hatched parts of the line are, in words. */
import { Link } from '@tanstack/react-router'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import type { Gap } from './marks.ts'
import { timelineMessages } from './messages/text.ts'

/** The newest; the list of jobs has the rest. */
const SHOWN_MAX = 5

export function GapList({ gaps }: { readonly gaps: readonly Gap[] }) {
  const text = useText(timelineMessages)
  const format = useFormat()
  if (gaps.length === 0) return null
  return (
    <div data-testid="gaps">
      <h3 className="om-gaps-title">{text('gaps')}</h3>
      <ul className="om-steps">
        {gaps
          .toReversed()
          .slice(0, SHOWN_MAX)
          .map((gap) => {
            const [newest] = gap.runs
            return (
              <li key={gap.from.getTime()}>
                <span>
                  {format.exact(gap.from.toISOString())} –{' '}
                  {format.duration(gap.until.getTime() - gap.from.getTime())}
                </span>
                <Link to="/jobs/$jobId" params={{ jobId: newest!.id }}>
                  {text('gap', { count: gap.runs.length })}
                </Link>
                <span className="om-state-failed">
                  {newest!.problem?.message ?? text('gap.cancelled')}{' '}
                  <code className="om-code">{newest!.problem?.code}</code>
                </span>
              </li>
            )
          })}
      </ul>
    </div>
  )
}
