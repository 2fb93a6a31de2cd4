import { useEffect, useState } from 'react'
import Tooltip from 'antd/es/tooltip'
import { formatExact, formatRelative } from '../format/format.ts'
import { useText } from '../i18n/text.ts'
import { useLanguage } from '../i18n/use-language.ts'
import { uiMessages } from './messages/text.ts'

/** "3 minutes ago" needs no more. */
const TICK_MS = 30_000

/** Relative; exact in the browser's zone on hover, ISO in the markup for copying. */
export function Time({ at }: { readonly at: string | null }) {
  const text = useText(uiMessages)
  const language = useLanguage()
  const now = useNow(TICK_MS)
  if (at === null) return <span className="om-quiet">{text('never')}</span>
  const date = new Date(at)
  return (
    <Tooltip title={formatExact(date, language)}>
      <time dateTime={at}>{formatRelative(date, now, language)}</time>
    </Tooltip>
  )
}

/** The clock of the browser, renewed every so often. */
export function useNow(everyMs: number): Date {
  const [now, setNow] = useState(() => new Date())
  useEffect(() => {
    const timer = setInterval(() => setNow(new Date()), everyMs)
    return () => clearInterval(timer)
  }, [everyMs])
  return now
}
