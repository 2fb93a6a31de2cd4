/** Generated histories of sources: as many kinds of habits as we could think of, by seed. */
import type { SeededRandom } from '@openmaas/kernel/random'
import type { AnomalySignal, SourceDay } from './anomaly.ts'

const DAY_MS = 86_400_000
const MIB = 1024 ** 2
/** A Monday. */
const FIRST = Date.UTC(2026, 0, 5)

export const HABITS = [
  'steady',
  'noisy',
  'office', // Nothing on weekends.
  'weekly-dump', // A full dump each Sunday.
  'growing',
  'bursty', // Some days a project comes in.
  'media', // Never compressed.
  'tiny',
] as const
export type Habit = (typeof HABITS)[number]

/** What is done to the last day. */
export const INJECTIONS = ['encrypt', 'rewrite', 'delete'] as const
export type Injection = (typeof INJECTIONS)[number]

/** Signals that count as having noticed it. */
export const SHOWN_BY: Readonly<Record<Injection, readonly AnomalySignal[]>> = {
  encrypt: ['change', 'compressibility'],
  rewrite: ['change'],
  delete: ['shrink'],
}

/** Roughly normal, mean 0, deviation 1. */
function normal(random: SeededRandom): number {
  let sum = -6
  for (let i = 0; i < 12; i += 1) sum += random.unit()
  return sum
}

interface Character {
  readonly baseBytes: number
  readonly rate: number
  readonly ratio: number
}

function makeCharacter(habit: Habit, random: SeededRandom): Character {
  const baseBytes = habit === 'tiny' ? 5 * MIB : MIB * 10 ** (3 + 2 * random.unit())
  const rate = 0.003 + 0.02 * random.unit()
  const ratio = habit === 'media' ? 0.97 : 0.2 + 0.35 * random.unit()
  return { baseBytes, rate, ratio }
}

function factorOf(habit: Habit, weekday: number, random: SeededRandom): number {
  const noise = Math.exp((habit === 'noisy' ? 0.7 : 0.25) * normal(random))
  if (habit === 'office' && weekday >= 5) return 0.02 * noise
  if (habit === 'weekly-dump' && weekday === 6) return 40 * noise
  if (habit === 'bursty' && random.unit() < 0.15) return noise * (2 + 6 * random.unit())
  return noise
}

/** @param count days; the first is the first capture, which reads all of it */
export function makeHistory(
  habit: Habit,
  options: { readonly count: number; readonly random: SeededRandom },
): SourceDay[] {
  const { count, random } = options
  const { baseBytes, rate, ratio } = makeCharacter(habit, random)
  const days: SourceDay[] = []
  for (let i = 0; i < count; i += 1) {
    const sizeBytes = baseBytes * (habit === 'growing' ? 1.02 ** i : 1 + 0.001 * i)
    const share = i === 0 ? 1 : Math.min(1, rate * factorOf(habit, i % 7, random))
    const readBytes = Math.round(share * sizeBytes)
    const stored = Math.min(1.02, Math.max(0.02, ratio + 0.04 * normal(random)))
    const addedBytes = Math.round(readBytes * stored)
    days.push({ day: FIRST + i * DAY_MS, addedBytes, readBytes, sizeBytes: Math.round(sizeBytes) })
  }
  return days
}

/** The same history, whose last day goes wrong. */
export function inject(
  days: readonly SourceDay[],
  injection: Injection,
  random: SeededRandom,
): SourceDay[] {
  const last = days.at(-1)!
  const share = 0.3 + 0.7 * random.unit()
  const readBytes = Math.round(share * last.sizeBytes)
  const changed: Readonly<Record<Injection, SourceDay>> = {
    // What is encrypted is all new, and as large as it was.
    encrypt: { ...last, readBytes, addedBytes: Math.round(readBytes * 0.99) },
    rewrite: { ...last, readBytes, addedBytes: Math.round(readBytes * 0.5) },
    delete: { ...last, sizeBytes: Math.round(last.sizeBytes * 0.4 * random.unit()) },
  }
  return [...days.slice(0, -1), changed[injection]]
}
