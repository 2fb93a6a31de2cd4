/** Which moment of production is wanted, and whether it can be had. */
import type { RecoverRange } from '@openmaas/api/resources/database'
import { parseMoment } from '../../timeline/moment.ts'

/** Of one that is refreshed; a new one can also follow production: `live`. */
export const MOMENT_KINDS = ['newest', 'now', 'time', 'point', 'transaction', 'live'] as const
export type MomentKind = (typeof MOMENT_KINDS)[number]

/** All that was typed or chosen; only what belongs to `kind` counts. */
export interface MomentForm {
  readonly kind: MomentKind
  /** As it was typed: `14:03:07 last Tuesday`. */
  readonly time: string
  readonly pointId: string | null
  readonly transaction: string
}

export const NEWEST: MomentForm = { kind: 'newest', time: '', pointId: null, transaction: '' }

/** As the API takes it; xid of PostgreSQL, GTID of MariaDB or MySQL. */
const TRANSACTION = /^(?:\d{1,20}|\d+-\d+-\d+|[0-9a-fA-F-]{36}:\d+)$/

export const isTransaction = (text: string): boolean => TRANSACTION.test(text.trim())

type Range = Pick<RecoverRange, 'from' | 'until' | 'live' | 'ranges'>

export type Verdict =
  | { readonly is: 'empty' | 'unreadable' }
  | { readonly is: 'future' | 'before' | 'gap' | 'after' | 'inside'; readonly at: Date }

/** @param range undefined while it is not known: then the server has the last word */
export function judgeTime(typed: string, now: Date, range: Range | undefined): Verdict {
  if (typed.trim() === '') return { is: 'empty' }
  const at = parseMoment(typed, now)
  if (at === null) return { is: 'unreadable' }
  const ms = at.getTime()
  if (ms > now.getTime()) return { is: 'future', at }
  if (range === undefined) return { is: 'inside', at }
  const within = range.ranges.some(
    ({ from, until }) => Date.parse(from) <= ms && ms <= Date.parse(until),
  )
  if (within) return { is: 'inside', at }
  if (range.from === null || ms < Date.parse(range.from)) return { is: 'before', at }
  const isAfter = range.until !== null && ms > Date.parse(range.until)
  // A standby that follows has it in a moment: a point is taken first.
  if (isAfter) return { is: range.live ? 'inside' : 'after', at }
  return { is: 'gap', at }
}

export interface MomentBody {
  readonly pointId?: string
  readonly at?: string
  readonly transaction?: string
  /** It follows production, read-only, until it is opened. */
  readonly liveSync?: true
}

/** @returns null while something is missing or wrong */
export function toMomentBody(
  form: MomentForm,
  now: Date,
  range: Range | undefined,
): MomentBody | null {
  switch (form.kind) {
    case 'newest':
      return {}
    case 'live':
      return { liveSync: true }
    case 'now':
      // The server's clock, not the browser's: a moment to come is refused.
      return range === undefined || range.until === null ? null : { at: range.until }
    case 'time': {
      const verdict = judgeTime(form.time, now, range)
      return verdict.is === 'inside' ? { at: verdict.at.toISOString() } : null
    }
    case 'point':
      return form.pointId === null ? null : { pointId: form.pointId }
    case 'transaction':
      return isTransaction(form.transaction) ? { transaction: form.transaction.trim() } : null
  }
}

/** A moment as the box reads it again, in the browser's zone: `2026-11-17 14:03:07`. */
export function momentText(at: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0')
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`
}
