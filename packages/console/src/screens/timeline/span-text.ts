import type { Language } from '../../i18n/i18n.ts'
import type { Zoom } from './search.ts'
import type { Span } from './span.ts'

const DAY = { year: 'numeric', month: 'short', day: 'numeric' } as const

/** `November 2026`, `Nov 16 – 22, 2026`. */
export function spanText({ from, until }: Span, zoom: Zoom, language: Language): string {
  const last = new Date(until.getTime() - 1)
  switch (zoom) {
    case 'year':
      return from.toLocaleDateString(language, { year: 'numeric' })
    case 'month':
      return from.toLocaleDateString(language, { year: 'numeric', month: 'long' })
    case 'week':
      return new Intl.DateTimeFormat(language, DAY).formatRange(from, last)
    case 'day':
      return from.toLocaleDateString(language, { ...DAY, weekday: 'short' })
    case 'hour':
      return from.toLocaleString(language, { ...DAY, hour: '2-digit', minute: '2-digit' })
  }
}

/** Below the line. */
export function tickText(at: Date, zoom: Zoom, language: Language): string {
  switch (zoom) {
    case 'year':
      return at.toLocaleDateString(language, { month: 'short' })
    case 'month':
      return at.toLocaleDateString(language, { month: 'numeric', day: 'numeric' })
    case 'week':
      return at.toLocaleDateString(language, { weekday: 'short', day: 'numeric' })
    case 'day':
    case 'hour':
      return at.toLocaleTimeString(language, {
        hour: '2-digit',
        minute: '2-digit',
        hour12: false,
      })
  }
}
