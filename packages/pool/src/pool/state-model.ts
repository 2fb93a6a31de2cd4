/**
 * The reducer against a slow model: arrays of records, searched from the beginning for every
 * question. Random records, sensible and not; the state accepts exactly what the model accepts.
 */
import { assert } from '@openmaas/kernel/assert'
import { isMaasError } from '@openmaas/kernel/errors'
import { SeededRandom } from '@openmaas/kernel/random'
import { FIRST_MAC } from '../log/record.ts'
import { LogType } from '../log/types.ts'
import type { LogEntry } from '../log/types.ts'
import { PoolState } from './state.ts'

const NUMBERS = 8

/** @throws AssertionFailure naming seed and step. @returns records accepted */
export function checkState(seed: number, steps: number): number {
  const random = new SeededRandom(seed)
  let state = new PoolState()
  const history: LogEntry[] = []
  apply(state, history, { type: LogType.owner, body: { epoch: 1, poolId: 'p', wallMs: 0 } })
  for (let step = 0; step < steps; step += 1) {
    const entry = randomEntry(random, history.length)
    const expected = isLegal(history, entry)
    const accepted = apply(state, history, entry)
    const what = `seed ${seed}, step ${step}, type ${entry.type}`
    assert(accepted === expected, `${what}: ${expected ? 'legal' : 'illegal'}, but not treated so`)
    // A refused record may have been half applied: the product throws such a state away.
    if (!accepted) state = replay(history)
    if (step % 16 === 0) compare(state, history, what)
  }
  compare(state, history, `seed ${seed}, end`)
  return history.length
}

function apply(state: PoolState, history: LogEntry[], entry: LogEntry): boolean {
  const sequence = history.length + 1
  const ownerEpoch = entry.type === LogType.owner ? entry.body.epoch : epochOf(history)
  try {
    state.apply({ sequence, ownerEpoch, batchIndex: 0, entry, mac: FIRST_MAC, length: 0 })
  } catch (error) {
    assert(isMaasError(error, 'LOG_CORRUPT'), 'a record is refused as corruption')
    return false
  }
  history.push(entry)
  return true
}

function replay(history: readonly LogEntry[]): PoolState {
  const state = new PoolState()
  const again: LogEntry[] = []
  for (const entry of history) assert(apply(state, again, entry), 'what was accepted once is again')
  return state
}

function randomEntry(random: SeededRandom, at: number): LogEntry {
  const packNo = random.below(NUMBERS)
  const snapshot = `s${random.below(NUMBERS)}`
  const packs = random.below(2) === 0 ? [packNo] : [packNo, (packNo + 1) % NUMBERS]
  switch (random.below(14)) {
    case 0:
      return { type: LogType.owner, body: { epoch: random.below(40), poolId: 'p', wallMs: at } }
    case 1:
      return { type: LogType.sessionOpen, body: { session: `x${random.below(4)}` } }
    case 2:
      return { type: LogType.sessionClose, body: { session: `x${random.below(4)}` } }
    case 3:
    case 4:
      return { type: LogType.pack, body: packBody(packNo, `${packNo}-${random.below(2)}`) }
    case 5:
    case 6:
      return {
        type: LogType.snapshot,
        body: {
          id: snapshot,
          kind: 'tree',
          root: '00',
          manifestChunk: '00',
          chunkCount: 1,
          createdAtMs: 0,
          session: `x${random.below(4)}`,
        },
      }
    case 7:
      return { type: LogType.snapshotDelete, body: { id: snapshot } }
    case 8:
      return { type: LogType.lockExtend, body: { id: snapshot, lockUntil: random.below(10) } }
    case 9:
      return {
        type: LogType.pin,
        body: { id: `p${random.below(3)}`, kind: 'reader', snapshots: [snapshot], at },
      }
    case 10:
      return { type: LogType.unpin, body: { id: `p${random.below(3)}` } }
    case 11:
      return { type: LogType.condemn, body: { packs, at } }
    case 12:
      return { type: LogType.uncondemn, body: { packs, at } }
    default:
      return { type: LogType.delete, body: { packs, at } }
  }
}

function packBody(packNo: number, packId: string) {
  const [hash, bricks] = ['00', [0]]
  return { packNo, packId, kind: 'data' as const, size: 1, hash, recordCount: 1, bricks, at: 0 }
}

// The model: every question goes through the whole history.

function epochOf(history: readonly LogEntry[]): number {
  return history.findLast((entry) => entry.type === LogType.owner)?.body.epoch ?? 0
}

function packStateOf(history: readonly LogEntry[], packNo: number): string {
  let state = 'none'
  for (const entry of history) {
    if (entry.type === LogType.pack && entry.body.packNo === packNo) state = 'live'
    const names = 'packs' in entry.body && entry.body.packs.includes(packNo)
    if (!names) continue
    if (entry.type === LogType.condemn) state = 'condemned'
    if (entry.type === LogType.uncondemn) state = 'live'
    if (entry.type === LogType.delete) state = 'deleted'
  }
  return state
}

function snapshotStateOf(history: readonly LogEntry[], id: string): string {
  let state = 'none'
  for (const entry of history) {
    if (entry.type === LogType.snapshot && entry.body.id === id) state = 'live'
    if (entry.type === LogType.snapshotDelete && entry.body.id === id) state = 'deleted'
  }
  return state
}

function lockOf(history: readonly LogEntry[], id: string): number {
  const locks = history.filter((entry) => entry.type === LogType.lockExtend)
  return locks.findLast((entry) => entry.body.id === id)?.body.lockUntil ?? 0
}

function pinnedBy(history: readonly LogEntry[], pin: string): readonly string[] {
  for (const entry of history.toReversed()) {
    if (entry.type === LogType.pin && entry.body.id === pin) return entry.body.snapshots
    if (entry.type === LogType.unpin && entry.body.id === pin) return []
  }
  return []
}

function isLegal(history: readonly LogEntry[], entry: LogEntry): boolean {
  const packsAre = (packs: readonly number[], state: string): boolean =>
    packs.every((packNo) => packStateOf(history, packNo) === state)
  switch (entry.type) {
    case LogType.owner:
      return entry.body.epoch > epochOf(history)
    case LogType.pack: {
      const { packNo, packId } = entry.body
      const isNew = (other: LogEntry): boolean =>
        other.type !== LogType.pack ||
        (other.body.packNo !== packNo && other.body.packId !== packId)
      return history.every(isNew)
    }
    case LogType.snapshot:
      return snapshotStateOf(history, entry.body.id) === 'none'
    case LogType.snapshotDelete:
      return snapshotStateOf(history, entry.body.id) === 'live'
    case LogType.lockExtend: {
      const isLive = snapshotStateOf(history, entry.body.id) === 'live'
      return isLive && entry.body.lockUntil >= lockOf(history, entry.body.id)
    }
    case LogType.pin: {
      const held = pinnedBy(history, entry.body.id)
      return entry.body.snapshots.every(
        (id) => held.includes(id) || snapshotStateOf(history, id) === 'live',
      )
    }
    case LogType.condemn:
      return packsAre(entry.body.packs, 'live')
    case LogType.uncondemn:
    case LogType.delete:
      return packsAre(entry.body.packs, 'condemned')
    default:
      return true
  }
}

function compare(state: PoolState, history: readonly LogEntry[], what: string): void {
  for (let packNo = 0; packNo < NUMBERS; packNo += 1) {
    const found = state.packs.get(packNo)?.state ?? 'none'
    assert(found === packStateOf(history, packNo), `${what}: pack ${packNo} is ${found}`)
  }
  for (let number = 0; number < NUMBERS; number += 1) {
    const id = `s${number}`
    const live = state.snapshots.has(id) ? 'live' : 'none'
    const found = state.deletedSnapshots.has(id) ? 'deleted' : live
    assert(found === snapshotStateOf(history, id), `${what}: snapshot ${id} is ${found}`)
    const pinned = [0, 1, 2].some((pin) => pinnedBy(history, `p${pin}`).includes(id))
    const isRoot = state.pinnedSnapshots().some((row) => row.id === id)
    assert(pinned === isRoot, `${what}: a pinned snapshot is a root, another is not (${id})`)
  }
  assert(state.sequence === history.length, `${what}: the sequence counts records`)
  assert(state.ownerEpoch === epochOf(history), `${what}: the epoch is the last owner's`)
}
