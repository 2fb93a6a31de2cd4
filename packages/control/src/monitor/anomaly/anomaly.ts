/**
 * Days on which a source behaves unlike itself: far more new data, data that no longer
 * compresses (as encrypted data does not), or most of it gone. Pure.
 *
 * A day is compared with the source's own last eight weeks by median and MAD (the median distance
 * from the median), which a few odd days do not move, and with the same days of the week, so that
 * a full dump each Sunday is no news. It must be odd by both, and large enough to matter. The day
 * that is not over counts too: sums only grow.
 *
 * What is new is measured after deduplication and compression (`addedBytes`), compressibility as
 * added by read bytes. That is a stand-in for entropy: nobody looks at the bytes themselves.
 */
import { median } from '../capacity/forecast.ts'

export interface SourceDay {
  /** Milliseconds since 1970 of its beginning, UTC. */
  readonly day: number
  readonly addedBytes: number
  readonly readBytes: number
  /** Of the last point of that day. */
  readonly sizeBytes: number
}

export type AnomalySignal = 'change' | 'compressibility' | 'shrink'

export interface SourceAnomaly {
  readonly signal: AnomalySignal
  readonly day: number
  /** Bytes; for compressibility the share that had to be stored. */
  readonly value: number
  readonly usual: number
}

const DAY_MS = 86_400_000
const WEEK_DAYS = 7
export const HISTORY_DAYS_MAX = 56
/** Two of each day of the week. */
export const HISTORY_DAYS_MIN = 14
/** Distances from the median in robust standard deviations; 5 is far outside of any bell. */
const SCORE_MIN = 5
/** MAD → standard deviation, for a normal distribution. */
const MAD_SCALE = 1.4826
/** A history without any spread still allows this much, in natural logarithms: 28 %. */
const LOG_SPREAD_LEAST = 0.25
const SHARE_SPREAD_LEAST = 0.05

/** Less new data than this is nothing, unless the source is small itself. */
const CHANGE_LEAST_BYTES = 64 * 1024 * 1024
const CHANGE_LEAST_SHARE = 0.2
/** By how much it exceeds the median of the days, and of the same days of the week. */
const CHANGE_FACTOR = 4
const WEEKDAY_FACTOR = 3
/** With fewer of the same day of the week their largest counts, not their median. */
const WEEKDAYS_MIN = 4
const WEEKDAY_FACTOR_OF_MAX = 2

/** Sources in which something comes in every other week have a tail; odd is beyond that. */
/** The largest is left out, and one more for every four weeks: captures that began anew. */
const BURST_WEEKS = 4
const BURST_FACTOR = 2
const HEAVY_FACTOR = 3
/** Fewer may be chance. */
const HEAVY_WEEKS_MIN = 3

/** A ratio of less data than this is chance. */
const RATIO_LEAST_BYTES = 16 * 1024 * 1024
const RATIO_MIN = 0.85
const RATIO_RISE_MIN = 0.25

/** Of what is usual; less than that is left. */
const SHRINK_SHARE = 0.5
const SHRINK_LEAST_BYTES = 1024 * 1024
/** Same days of the week on which it was as small: then that is its rhythm. */
const SHRINK_WEEKS = 2

/** @param days ascending, one each, of one source; the last is judged against those before */
export function judgeDay(days: readonly SourceDay[]): SourceAnomaly[] {
  const today = days.at(-1)
  if (today === undefined) return []
  const since = today.day - HISTORY_DAYS_MAX * DAY_MS
  const history = days.slice(0, -1).filter(({ day }) => day >= since)
  if (history.length < HISTORY_DAYS_MIN) return []
  const found = [judgeChange(today, history), judgeRatio(today, history), judgeSize(today, history)]
  return found.filter((one) => one !== null)
}

function judgeChange(today: SourceDay, history: readonly SourceDay[]): SourceAnomaly | null {
  const least = Math.min(CHANGE_LEAST_BYTES, CHANGE_LEAST_SHARE * today.sizeBytes)
  const value = today.addedBytes
  if (value < Math.max(least, 1)) return null
  // Logarithms, since changes differ by factors; the offset makes idle days alike.
  const logOf = ({ addedBytes }: SourceDay): number => Math.log(addedBytes + least / 10)
  const usual = median(history.map(({ addedBytes }) => addedBytes))
  const score = scoreOf(
    logOf(today),
    history.map((one) => logOf(one)),
    LOG_SPREAD_LEAST,
  )
  if (score < SCORE_MIN || value < CHANGE_FACTOR * usual) return null
  const same = sameWeekday(today, history).map(({ addedBytes }) => addedBytes)
  if (value < usualOn(same, WEEKDAY_FACTOR, WEEKDAY_FACTOR_OF_MAX)) return null
  if (value < BURST_FACTOR * burstOf(history, usual)) return null
  return { signal: 'change', day: today.day, value, usual: Math.round(usual) }
}

/** How high a source goes now and then, leaving out days of the week that are always heavy. */
function burstOf(history: readonly SourceDay[], usual: number): number {
  const isHeavy = (one: SourceDay): boolean => {
    const same = history.filter(({ day }) => (one.day - day) % (WEEK_DAYS * DAY_MS) === 0)
    const middle = median(same.map(({ addedBytes }) => addedBytes))
    return same.length >= HEAVY_WEEKS_MIN && middle > HEAVY_FACTOR * usual
  }
  const light = history.filter((one) => !isHeavy(one)).map(({ addedBytes }) => addedBytes)
  light.sort((a, b) => a - b)
  const left = 2 + Math.floor(light.length / (BURST_WEEKS * WEEK_DAYS))
  return light[light.length - left] ?? 0
}

/** What is still usual on this day of the week. */
function usualOn(same: readonly number[], factor: number, factorOfMax: number): number {
  if (same.length === 0) return 0
  if (same.length >= WEEKDAYS_MIN) return factor * median(same)
  return factorOfMax * Math.max(...same)
}

function judgeRatio(today: SourceDay, history: readonly SourceDay[]): SourceAnomaly | null {
  const counts = ({ readBytes }: SourceDay): boolean => readBytes >= RATIO_LEAST_BYTES
  const ratioOf = (one: SourceDay): number => one.addedBytes / one.readBytes
  if (!counts(today)) return null
  const ratios = history.filter((one) => counts(one)).map((one) => ratioOf(one))
  if (ratios.length < HISTORY_DAYS_MIN) return null
  const value = ratioOf(today)
  const usual = median(ratios)
  const isHigh = value >= RATIO_MIN && value - usual >= RATIO_RISE_MIN
  if (!isHigh || scoreOf(value, ratios, SHARE_SPREAD_LEAST) < SCORE_MIN) return null
  const same = sameWeekday(today, history)
    .filter((one) => counts(one))
    .map((one) => ratioOf(one))
  if (same.length > 0 && value - median(same) < RATIO_RISE_MIN) return null
  return { signal: 'compressibility', day: today.day, value: round(value), usual: round(usual) }
}

const round = (share: number): number => Math.round(share * 100) / 100

function judgeSize(today: SourceDay, history: readonly SourceDay[]): SourceAnomaly | null {
  // Sources grow: what they were two months ago is not usual any more.
  const sizes = history.slice(-HISTORY_DAYS_MIN).map(({ sizeBytes }) => sizeBytes)
  const value = today.sizeBytes
  const usual = median(sizes)
  if (usual < SHRINK_LEAST_BYTES || value > SHRINK_SHARE * usual) return null
  const logs = sizes.map((size) => Math.log(size + 1))
  if (scoreOf(Math.log(value + 1), logs, LOG_SPREAD_LEAST / 2) > -SCORE_MIN) return null
  const same = sameWeekday(today, history).slice(-SHRINK_WEEKS)
  if (same.some(({ sizeBytes }) => value >= SHRINK_SHARE * sizeBytes)) return null
  return { signal: 'shrink', day: today.day, value, usual: Math.round(usual) }
}

function sameWeekday(today: SourceDay, history: readonly SourceDay[]): SourceDay[] {
  return history.filter(({ day }) => Math.round((today.day - day) / DAY_MS) % WEEK_DAYS === 0)
}

function scoreOf(value: number, history: readonly number[], spreadLeast: number): number {
  const middle = median(history)
  const distances = history.map((one) => Math.abs(one - middle))
  return (value - middle) / Math.max(spreadLeast, MAD_SCALE * median(distances))
}
