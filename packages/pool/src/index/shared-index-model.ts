/**
 * The index against a Map of sets: random sessions that write packs, become live or are given up,
 * packs that are condemned and deleted, memtables that fill, merges, owners that end and come back.
 */
import { assert } from '@openmaas/kernel/assert'
import type { Fs } from '@openmaas/kernel/fs'
import { SeededRandom } from '@openmaas/kernel/random'
import type { Location } from '../pool/types.ts'
import { PackStatus, PackTable } from './pack-table.ts'
import { SharedIndex } from './shared-index.ts'
import { Word } from './arena.ts'

const SESSION = 5
const POOL_ID = Buffer.alloc(16, 3)

interface ModelPack {
  readonly packNo: number
  readonly records: { chunkId: Buffer; location: Location }[]
  sequence: number
  status: 'open' | 'live' | 'condemned' | 'dead'
}

class World {
  readonly fs: Fs
  readonly random: SeededRandom
  readonly packs: ModelPack[] = []
  readonly seed: number
  sequence = 0
  index: SharedIndex

  constructor(seed: number, fs: Fs) {
    this.fs = fs
    this.seed = seed
    this.random = new SeededRandom(seed)
    this.index = this.open()
  }

  open(): SharedIndex {
    const packTable = PackTable.allocate(4096)
    const table = new PackTable(packTable)
    for (const pack of this.packs) {
      // What was open when the owner ended is void: the log, and so the table, know nothing of it.
      if (pack.status === 'open') pack.status = 'dead'
      if (pack.sequence > 0) table.setStatus(pack.packNo, PackStatus[pack.status])
    }
    return SharedIndex.open({
      fs: this.fs,
      directory: '/index',
      poolId: 'pol_test',
      poolIdBytes: POOL_ID,
      packs: this.packs
        .filter(({ status }) => status === 'live' || status === 'condemned')
        .map(({ packNo, sequence, records }) => ({
          packNo,
          sequence,
          recordCount: records.length,
          read: () => records.map(({ chunkId, location }) => ({ chunkId, ...location })),
        })),
      packTable,
      nextPackNo:
        1 + Math.max(-1, ...this.packs.filter((p) => p.sequence > 0).map((p) => p.packNo)),
      logMac: (sequence) => (sequence <= this.sequence ? `mac-${sequence}` : undefined),
      writable: true,
      slotCount: 64,
    })
  }

  /** A small set of ids, so that many chunks stand in several packs. */
  id(number: number): Buffer {
    const id = new SeededRandom(number + 1).bytes(32)
    // Some share their first bytes: they meet in one block of a run, and in one slot.
    if (number % 3 === 0) id.fill(0x11, 0, 8)
    return id
  }

  pack(status: ModelPack['status']): ModelPack | undefined {
    const packs = this.packs.filter((pack) => pack.status === status)
    return packs[this.random.below(packs.length || 1)]
  }

  logged(): { packNo: number; recordCount: number }[] {
    return this.packs
      .filter(({ sequence, status }) => sequence > 0 && status !== 'dead')
      .map(({ packNo, records }) => ({ packNo, recordCount: records.length }))
  }

  set(pack: ModelPack, status: 'live' | 'condemned' | 'dead'): void {
    pack.status = status
    this.index.packs.setStatus(pack.packNo, PackStatus[status])
  }
}

/**
 * @param fs an empty one
 * @returns the largest number of runs there was
 * @throws AssertionFailure naming seed and step
 */
export async function checkIndex(seed: number, steps: number, fs: Fs): Promise<number> {
  const world = new World(seed, fs)
  let runs = 0
  for (let step = 0; step < steps; step += 1) {
    await takeStep(world)
    runs = Math.max(runs, world.index.runCount)
    if (step % 8 === 0) compare(world, step)
  }
  compare(world, steps)
  world.index.close()
  return runs
}

async function takeStep(world: World): Promise<void> {
  const { random, index } = world
  const action = random.below(20)
  if (action < 10) insertSome(world)
  else if (action < 14) {
    const pack = world.pack('open')
    if (pack === undefined) return
    if (random.below(6) === 0) world.set(pack, 'dead')
    else {
      world.sequence += 1
      pack.sequence = world.sequence
      world.set(pack, 'live')
    }
    index.maintain()
  } else if (action === 14) {
    const pack = world.pack('live')
    if (pack !== undefined) world.set(pack, 'condemned')
  } else if (action === 15) {
    const pack = world.pack('condemned')
    if (pack !== undefined) world.set(pack, random.below(2) === 0 ? 'live' : 'dead')
  } else if (action === 16) {
    await index.merge(() => Promise.resolve())
  } else if (action === 17) {
    await index.merge(() => Promise.resolve())
    index.save(world.sequence, `mac-${world.sequence}`, world.logged())
    index.removeOldRuns()
  } else if (action === 18) {
    index.consolidate(world.logged())
  } else {
    if (random.below(2) === 0) index.save(world.sequence, `mac-${world.sequence}`, world.logged())
    index.close()
    world.index = world.open()
  }
}

function insertSome(world: World): void {
  const { random, index } = world
  let pack = world.pack('open')
  if (pack === undefined || random.below(3) === 0) {
    const packNo = Atomics.add(index.view.arena.words, Word.nextPackNo, 1)
    // A number that only a crashed owner's memory knew may come again; no other.
    const taken = world.packs[packNo]
    assert((taken?.sequence ?? 0) === 0, `seed ${world.seed}: pack ${packNo} is used twice`)
    while (world.packs.length < packNo) {
      world.packs.push({ packNo: world.packs.length, records: [], sequence: 0, status: 'dead' })
    }
    pack = { packNo, records: [], sequence: 0, status: 'open' }
    world.packs[packNo] = pack
    index.packs.setOpen(packNo, SESSION)
  }
  for (let count = random.below(12); count > 0; count -= 1) {
    const chunkId = world.id(random.below(120))
    const recordNumber = pack.records.length
    const { packNo } = pack
    const location = {
      packNo,
      recordNumber,
      offset: 64 + recordNumber,
      encodedLength: 9,
      rawLength: 7,
    }
    pack.records.push({ chunkId, location })
    index.view.insert(chunkId, location)
  }
}

function compare(world: World, step: number): void {
  for (let number = 0; number < 120; number += 1) {
    const id = world.id(number)
    const holds = (pack: ModelPack): boolean =>
      pack.records.some(({ chunkId }) => chunkId.equals(id))
    for (const session of [0, SESSION]) {
      const allowed = world.packs.filter(
        (pack) =>
          (pack.status === 'live' || (pack.status === 'open' && session !== 0)) && holds(pack),
      )
      const { packs, view } = world.index
      const found = view.findAll(id, (packNo) => packs.visible(packNo, session))
      const what = `seed ${world.seed}, step ${step}, id ${number}, session ${session}`
      assert(
        found.length === allowed.length,
        `${what}: ${found.length} packs, not ${allowed.length}`,
      )
      for (const location of found) {
        const pack = world.packs[location.packNo]!
        const record = pack.records[location.recordNumber]
        assert(record?.chunkId.equals(id) === true, `${what}: the location is another chunk's`)
        assert(record.location.offset === location.offset, `${what}: the location is not exact`)
      }
    }
  }
}
