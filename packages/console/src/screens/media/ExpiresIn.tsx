import { formatExact } from '../../format/format.ts'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { useLanguage } from '../../i18n/use-language.ts'
import { useNow } from '../../ui/Time.tsx'
import { leftMs } from './lifetimes.ts'
import { mediaMessages } from './messages/text.ts'

/** Below it the end is near enough to be seen as a warning. */
const SOON_MS = 3_600_000

interface Props {
  readonly leaseUntil: string | null
  /** A page counts seconds; a list need not. */
  readonly everyMs: number
}

/** A countdown to the end of a lease. */
export function ExpiresIn({ leaseUntil, everyMs }: Props) {
  const text = useText(mediaMessages)
  const format = useFormat()
  const language = useLanguage()
  const now = useNow(everyMs)
  const left = leftMs(leaseUntil, now)
  if (leaseUntil === null || left === null) return <span>{text('left.never')}</span>
  const isSoon = left < SOON_MS
  return (
    <time
      dateTime={leaseUntil}
      title={formatExact(new Date(leaseUntil), language)}
      className={isSoon ? 'om-state-warning' : ''}
      data-testid="expires"
    >
      {left === 0 ? text('left.expired') : text('left', { time: format.duration(left) })}
    </time>
  )
}
