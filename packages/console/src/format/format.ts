/** Numbers, sizes and times for people, by language. Sizes are IEC (CONVENTIONS.md, section 9). */
import type { Language } from '../i18n/i18n.ts'

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const
const SECOND_MS = 1000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

export function formatCount(value: number, language: Language): string {
  return value.toLocaleString(language)
}

/** `0.986` → `98.6%`. */
export function formatShare(share: number, language: Language): string {
  return share.toLocaleString(language, { style: 'percent', maximumFractionDigits: 1 })
}

/** `1536` → `1.5 KiB`: three digits that mean something, whatever the size. */
export function formatBytes(sizeBytes: number, language: Language): string {
  const exponent = sizeBytes < 1024 ? 0 : Math.floor(Math.log2(sizeBytes) / 10)
  const unit = Math.min(exponent, UNITS.length - 1)
  const value = sizeBytes / 1024 ** unit
  const maximumFractionDigits = unit === 0 ? 0 : value < 10 ? 2 : value < 100 ? 1 : 0
  return `${value.toLocaleString(language, { maximumFractionDigits })} ${UNITS[unit]}`
}

export function formatRate(bytesPerSecond: number, language: Language): string {
  return `${formatBytes(bytesPerSecond, language)}/s`
}

/** `75_000` → `1 min 15 s`; `1 分 15 秒`. The two largest units are enough to judge by. */
export function formatDuration(durationMs: number, language: Language): string {
  const names = language === 'zh-CN' ? ['天', '小时', '分', '秒'] : ['d', 'h', 'min', 's']
  if (durationMs < SECOND_MS) {
    return `${Math.round(durationMs)} ${language === 'zh-CN' ? '毫秒' : 'ms'}`
  }
  let rest = Math.round(durationMs / SECOND_MS) * SECOND_MS
  const parts: string[] = []
  for (const [index, size] of [DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS].entries()) {
    const whole = Math.floor(rest / size)
    rest -= whole * size
    if (whole > 0) parts.push(`${whole} ${names[index]}`)
    else if (parts.length > 0) break
    if (parts.length === 2) break
  }
  return parts.join(' ')
}

const RELATIVE_STEPS = [
  { unit: 'day', sizeMs: DAY_MS },
  { unit: 'hour', sizeMs: HOUR_MS },
  { unit: 'minute', sizeMs: MINUTE_MS },
] as const

/** `3 minutes ago`, `in 2 hours`; seconds are not counted. */
export function formatRelative(at: Date, now: Date, language: Language): string {
  const differenceMs = at.getTime() - now.getTime()
  const format = new Intl.RelativeTimeFormat(language, { numeric: 'auto' })
  const step = RELATIVE_STEPS.find(({ sizeMs }) => Math.abs(differenceMs) >= sizeMs)
  if (step === undefined) return format.format(0, 'second')
  return format.format(Math.trunc(differenceMs / step.sizeMs), step.unit)
}

/** Exact, with its zone: `Nov 22, 2026, 3:03:07 PM GMT+1`. */
export function formatExact(at: Date, language: Language, timeZone?: string): string {
  return at.toLocaleString(language, {
    year: 'numeric',
    month: 'short',
    day: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    timeZoneName: 'short',
    ...(timeZone !== undefined && { timeZone }),
  })
}
