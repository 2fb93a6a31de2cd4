/**
 * After the last rites of some worlds: more damage than any redundancy is for. Nothing has to be
 * readable then; but what is served is right, and what is not complete is named (I12).
 */
import { isMaasError } from '@openmaas/kernel/errors'
import { Pool } from '@openmaas/pool/pool/pool'
import { PoolReader } from '@openmaas/pool/pool/reader'
import type { SimNode } from '../disk/sim-directory.ts'
import { SimFs } from '../disk/sim-fs.ts'
import { readWhole } from './invariants.ts'
import type { Site } from './invariants.ts'
import type { TaskContext } from './tasks.ts'

const DAMAGES_MAX = 8

export async function doom(context: TaskContext, { disk, bricks, oracle }: Site): Promise<void> {
  const { random, pool, clock, counts, weather, note } = context
  const files = [...listFiles('', disk.root)].filter(({ size }) => size > 0)
  const damages = 1 + random.below(DAMAGES_MAX)
  for (let count = 0; count < damages; count += 1) {
    const { path } = files[random.below(files.length)]!
    note(`doom: ${path}`)
    disk.damage(path)
  }
  counts.doomed += 1
  weather.stopWatching()
  const unlock = { masterKey: pool.masterKey }
  const fs = new SimFs(disk)
  await expectRefusal(async () => {
    const reader = await PoolReader.open({ path: bricks[0]!, unlock, fs, clock })
    for (const { root } of reader.snapshots()) {
      await expectRefusal(() => readWhole(reader.chunks, root, oracle))
    }
    reader.close()
  })
  await expectRefusal(async () => {
    const { random: productRandom } = pool.core.deps
    const options = { path: bricks[0]!, unlock, fs, clock, random: productRandom }
    const { turn: yieldTurn, profile } = context
    const owner = await Pool.open({ ...options, yieldTurn, tuning: profile.tuning })
    const { affected } = await owner.fsck({ level: 'data', repair: random.below(2) === 0 })
    const named = new Set<string>(affected.map(({ id }) => id))
    // Whatever the check does not name is complete.
    for (const { id, root } of owner.snapshots()) {
      if (!named.has(id)) readWhole(owner.chunks, root, oracle)
    }
    await owner.close()
  })
}

/** An error with a code is an honest answer; anything else, wrong bytes above all, is not. */
async function expectRefusal(work: () => void | Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    const isHonest = isMaasError(error) && error.code !== 'INTERNAL'
    if (!isHonest) throw error
  }
}

function* listFiles(path: string, node: SimNode): Generator<{ path: string; size: number }> {
  if (node.kind === 'file') yield { path, size: node.durableSize }
  else for (const [name, child] of node.nodes()) yield* listFiles(`${path}/${name}`, child)
}
