/** Values on their way into sentences. */
import { spanText } from '@openmaas/api/policy-text'
import type { Language } from '../../http/handler.ts'

/** "2026-11-22 14:03Z": short, and the same for everybody. Never throws: rows may be old. */
export function timeText(at: number | null, language: Language): string {
  if (typeof at !== 'number' || !Number.isFinite(at)) return language === 'zh' ? '从未' : 'never'
  const text = new Date(at).toISOString()
  return `${text.slice(0, 10)} ${text.slice(11, 16)}Z`
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

export function bytesText(bytes: number): string {
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10))
  const value = bytes / 1024 ** power
  return `${value < 10 && power > 0 ? value.toFixed(1) : Math.round(value)} ${UNITS[power]}`
}

export function span(ms: number, language: Language): string {
  return spanText(Math.abs(ms), language)
}
