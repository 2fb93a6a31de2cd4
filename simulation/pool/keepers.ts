/** Tasks of those who keep the pool: garbage collection, scrub, clocks, and long-lived media. */
import { Pool } from '@openmaas/pool/pool/pool'
import { PoolReader } from '@openmaas/pool/pool/reader'
import { SimFs } from '../disk/sim-fs.ts'
import { expectCodes, readSlowly } from './tasks.ts'
import type { TaskContext } from './tasks.ts'

const HOUR_MS = 3_600_000

export async function collect(context: TaskContext): Promise<void> {
  const { pool, random, counts, note } = context
  await expectCodes(context, ['POOL_BUSY', 'POOL_TIME_FROZEN', 'GC_NEEDS_APPROVAL'], async () => {
    const report = await pool.gc({
      approve: random.below(10) > 0,
      compactBelow: [0, 0.5, 1][random.below(3)]!,
      delayMs: random.below(3) === 0 ? random.below(6 * HOUR_MS) : 0,
    })
    counts.gcRuns += 1
    counts.condemned += report.condemnedPacks
    counts.gcDeletes += report.deletedPacks
    if (report.copiedBytes > 0) counts.compactions += 1
    note(`gc: ${report.condemnedPacks} condemned, ${report.deletedPacks} deleted`)
  })
}

/** Two people look at the clock, and say it is right. */
export async function confirmTime(context: TaskContext): Promise<void> {
  const { pool } = context
  if (!pool.core.time.frozen) return
  await expectCodes(context, [], () => pool.confirmTime(['ada', 'grace']))
}

/** Another process wants to own the pool, too: it must be told that somebody does. */
export async function openTwice(context: TaskContext): Promise<void> {
  const { pool, counts, disk, profile, clock, turn } = context
  const { masterKey } = pool
  const { random } = pool.core.deps
  const fs = new SimFs(disk)
  const path = profile.bricks[0]!
  const degraded = disk.lostBrick !== undefined
  await expectCodes(context, ['POOL_BUSY'], async () => {
    const options = { path, unlock: { masterKey }, fs, clock, random, yieldTurn: turn, degraded }
    await Pool.open({ ...options, tuning: profile.tuning })
    throw new Error('two owners: the pool was opened twice')
  })
  counts.secondOwners += 1
  fs.kill()
}

/** Reads of a medium in another process, with the index of when it was plugged in. */
const MEDIUM_READS = 40

/**
 * A plugged medium: another process under a pin, which goes on reading with what it knew when it
 * began, whatever is deleted, compacted and collected meanwhile (I6).
 */
export async function readAsMedium(context: TaskContext): Promise<void> {
  const { pool, random, oracle, turn, note, disk, profile, clock } = context
  const rows = pool.snapshots()
  const row = rows[random.below(rows.length)]
  if (row === undefined) return
  const fs = new SimFs(disk)
  await expectCodes(context, ['SNAPSHOT_NOT_FOUND'], async () => {
    const id = `medium-${context.fresh()}`
    const snapshots = [row.id]
    await pool.pin({ id, kind: 'medium', snapshots })
    oracle.pins.set(id, { snapshots, releasing: false })
    note(`${id} plugs ${row.id}`)
    const { masterKey } = pool
    const path = profile.bricks[0]!
    const cache = { metadataCacheBytes: 0, dataCacheBytes: 0 }
    const reader = await PoolReader.open({ path, unlock: { masterKey }, fs, clock, cache })
    const isOver = (): boolean => context.isEnding() || oracle.pins.get(id)?.releasing !== false
    for (let reads = 0; reads < MEDIUM_READS && !isOver();) {
      reads += await readSlowly(context, { source: reader.chunks, root: row.root, isOver })
      reads += 1
      await turn()
      if (random.below(4) === 0 && !isOver()) {
        await pool.pin({ id, kind: 'medium', snapshots })
        note(`${id} renews its pin`)
      }
    }
    reader.close()
    const pin = oracle.pins.get(id)
    if (pin === undefined) return // Somebody released it by hand.
    pin.releasing = true
    await pool.unpin(id)
    oracle.pins.delete(id)
  })
  fs.kill()
}

/** Reads every byte of every copy, and repairs. */
export async function scrub(context: TaskContext): Promise<void> {
  const { pool, random, counts, weather, disk, note } = context
  await expectCodes(context, [], async () => {
    const damagesBefore = weather.damageCount
    const repair = random.below(4) > 0
    const report = await pool.fsck({ level: 'data', repair })
    counts.scrubs += 1
    counts.repairs += report.repairedCount
    note(`scrub: ${report.problemCount} problems, ${report.repairedCount} repaired`)
    if (report.healthy && repair) return weather.packsRepaired(damagesBefore)
    const isExplained =
      !repair || weather.faulted() || disk.lostBrick !== undefined || context.isEnding()
    if (isExplained || damagesBefore !== weather.damageCount) return
    throw new Error(`I12: a scrub with repair ends with ${JSON.stringify(report)}`)
  })
}
