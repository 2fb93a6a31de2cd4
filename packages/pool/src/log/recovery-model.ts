/** Recovery against what must be true of it, on random logs and damage. */
import { assert } from '@openmaas/kernel/assert'
import { isMaasError } from '@openmaas/kernel/errors'
import { SeededRandom } from '@openmaas/kernel/random'
import { makeLog, randomSizes, tear, testCodec } from './log-model.ts'
import type { TestLog } from './log-model.ts'
import { recoverLog } from './recovery.ts'
import type { LogRecovery } from './recovery.ts'

/** One random case. @throws AssertionFailure naming the rule that is broken */
export function checkRecovery(seed: number): void {
  const random = new SeededRandom(seed)
  const log = makeLog(randomSizes(random))
  const kind = random.below(4)
  if (kind === 0) crashed(log, random, seed)
  else if (kind === 1) flippedOnce(log, random, seed)
  else if (kind === 2) lostInAll(log, random, seed)
  else missing(log, random, seed)
}

/** After a power loss all synced batches are there, and what else is there is whole records. */
function crashed(log: TestLog, random: SeededRandom, seed: number): void {
  const recovery = recoverLog(testCodec, [tear(log, random), tear(log, random)])
  const synced = log.batches.at(-1)!
  assert(recovery.records.length >= synced, `seed ${seed}: every synced record survives a crash`)
  expectPrefix(recovery, log, seed)
  const again = recoverLog(testCodec, [recovery.bytes, recovery.bytes])
  assert(again.bytes.equals(recovery.bytes), `seed ${seed}: recovery of a recovered log is itself`)
}

/** A damaged byte in one of two mirrors costs nothing, wherever it is. */
function flippedOnce(log: TestLog, random: SeededRandom, seed: number): void {
  const flipped = Buffer.from(log.bytes)
  flipped[random.below(flipped.length)]! ^= 1 << random.below(8)
  const mirrors = random.below(2) === 0 ? [flipped, log.bytes] : [log.bytes, flipped]
  const recovery = recoverLog(testCodec, mirrors)
  assert(recovery.bytes.equals(log.bytes), `seed ${seed}: one damaged mirror loses nothing`)
  assert(recovery.damaged.filter(Boolean).length === 1, `seed ${seed}: the damaged one is known`)
}

/** A record that is damaged in every mirror with a later batch behind it is never cut off. */
function lostInAll(log: TestLog, random: SeededRandom, seed: number): void {
  const victim = random.below(log.ends.length)
  const from = victim === 0 ? 0 : log.ends[victim - 1]!
  const mirrors = [Buffer.from(log.bytes), Buffer.from(log.bytes)]
  for (const mirror of mirrors) {
    mirror[from + random.below(log.ends[victim]! - from)]! ^= 1 << random.below(8)
  }
  const isLastBatch = victim >= log.batches.at(-1)!
  try {
    const recovery = recoverLog(testCodec, mirrors)
    assert(isLastBatch, `seed ${seed}: a lost durable record is corruption`)
    assert(recovery.records.length === victim, `seed ${seed}: the log ends before the hole`)
  } catch (error) {
    if (!isMaasError(error, 'LOG_CORRUPT')) throw error
    assert(!isLastBatch, `seed ${seed}: a torn last batch is no corruption`)
  }
}

function missing(log: TestLog, random: SeededRandom, seed: number): void {
  const short = log.bytes.subarray(0, random.below(log.bytes.length + 1))
  const recovery = recoverLog(testCodec, [undefined, short, log.bytes])
  assert(recovery.bytes.equals(log.bytes), `seed ${seed}: the longest mirror counts`)
  assert(recovery.damaged[1] === false, `seed ${seed}: a short mirror is not a damaged one`)
}

function expectPrefix(recovery: LogRecovery, log: TestLog, seed: number): void {
  const { length } = recovery.bytes
  const isPrefix = log.bytes.subarray(0, length).equals(recovery.bytes)
  assert(isPrefix, `seed ${seed}: nothing is invented`)
  assert(length === 0 || log.ends.includes(length), `seed ${seed}: the log ends with a record`)
}
