/**
 * Ways to break the product that the simulation must notice: each is a change of its source text,
 * made while it is loaded. A rule of the protocol that can be taken out unnoticed is not tested.
 *
 * `seeds` is the most that may be needed; the run stops at the first that fails.
 */
import type { WorldKind } from './harness/jobs.ts'
import type { Patch } from './harness/patches.ts'

export interface Mutant {
  readonly name: string
  readonly kind: WorldKind
  readonly seeds: number
  /** That never kill it: two minutes of CI. Any other change of the simulator may change that. */
  readonly skip?: number
  readonly patches: readonly Patch[]
}

const FILES = 'packages/pool/src/pack/files.ts'
const MIRRORS = 'packages/pool/src/log/mirrors.ts'
const COLLECT = 'packages/pool/src/gc/collect.ts'
const DELETE = 'packages/pool/src/gc/delete.ts'
const TRAVERSE = 'packages/pool/src/gc/traverse.ts'
const SESSION = 'packages/pool/src/pool/session.ts'
const LANE = 'packages/pool/src/pool/lane.ts'
const VIEW = 'packages/pool/src/index/view.ts'
const PACK_TABLE = 'packages/pool/src/index/pack-table.ts'
const COMMITTER = 'packages/medium/src/overlay/committer.ts'

function one(file: string, find: string, replace: string): Patch[] {
  return [{ file, find, replace }]
}

const POOL_MUTANTS: readonly Omit<Mutant, 'kind'>[] = [
  {
    name: 'no pack fsync',
    seeds: 100,
    patches: one(FILES, 'this.#fs.dataSync(file)', 'void file'),
  },
  {
    name: 'no directory fsync',
    seeds: 100,
    patches: one(FILES, 'this.#fs.syncDirectory(directory)', 'void directory'),
  },
  {
    name: 'no fsync above a new directory',
    seeds: 100,
    patches: one(FILES, 'this.#fs.syncDirectory(packsDirectory(brick))', 'void packsDirectory'),
  },
  {
    name: 'no log fsync',
    seeds: 100,
    patches: one(
      MIRRORS,
      'this.#fs.dataSync(this.#files[index]!) // Rule: log fsync.',
      'void index',
    ),
  },
  {
    name: 'last log batch not written again',
    seeds: 600,
    patches: one(MIRRORS, 'if (tail.length > 0) fs.write(', 'if (tail.length < 0) fs.write('),
  },
  {
    name: 'no re-scan in the condemn turn',
    seeds: 1000,
    patches: one(
      COLLECT,
      'const committedSince = late.has(packNo)',
      'const committedSince = false',
    ),
  },
  {
    name: 'GC ignores pins',
    seeds: 600,
    patches: one(COLLECT, 'const pinned = isPinned(core, pack)', 'const pinned = false'),
  },
  {
    name: 'pinned snapshots are no roots',
    skip: 180,
    seeds: 1000,
    patches: one(
      TRAVERSE,
      'for (const row of state.pinnedSnapshots()) roots.set(row.id, row)',
      'void state',
    ),
  },
  {
    name: 'parents of open sessions are no roots',
    seeds: 1000,
    patches: one(TRAVERSE, 'if (row !== undefined) roots.set(row.id, row)', 'void row'),
  },
  {
    name: 'unlink before DELETE is durable',
    seeds: 300,
    patches: one(
      DELETE,
      'await core.append({ type: LogType.delete, body: { packs, at: core.time.now() } })',
      'const late = core.append({ type: LogType.delete, body: { packs, at: core.time.now() } })\n' +
        'for (const packNo of packs) core.packs.setStatus(packNo, PackStatus.dead)\n' +
        'void late',
    ),
  },
  {
    name: 'index visible before PACK',
    seeds: 600,
    patches: one(
      PACK_TABLE,
      'return word === PackStatus.live || (sessionNo !== 0 && word === openWord(sessionNo))',
      'return word === PackStatus.live || (sessionNo !== 0 && (word & 7) === PackStatus.open)',
    ),
  },
  {
    name: 'pack fsync retried',
    seeds: 1000,
    patches: one(
      FILES,
      'this.#fs.dataSync(file)',
      'try { this.#fs.dataSync(file) } catch { this.#fs.dataSync(file) }',
    ),
  },
  {
    name: 'log fsync retried',
    seeds: 1000,
    patches: one(
      MIRRORS,
      'this.#fs.dataSync(this.#files[index]!) // Rule: log fsync.',
      'try { this.#fs.dataSync(this.#files[index]!) } catch { this.#fs.dataSync(this.#files[index]!) }',
    ),
  },
  {
    name: 'single-location index',
    seeds: 2000,
    patches: one(
      VIEW,
      'found = this.#findOnce(id, accept)',
      'let seen = -1\n' +
        'found = this.#findOnce(id, (packNo) => (seen < 0 || seen === packNo) && ' +
        '((seen = packNo), accept(packNo)))',
    ),
  },
  {
    // The closure check would catch it, so it goes, too: `used` stays empty.
    name: 'await between look-up and pin, no closure check',
    seeds: 2000,
    patches: [
      {
        file: LANE,
        find: '      this.#pins.add(location.packNo)\n      if (!this.#index.packs.visible',
        replace:
          '      const pins = this.#pins\n' +
          '      setImmediate(() => setImmediate(() => pins.add(location.packNo)))\n' +
          '      if (!this.#index.packs.visible',
      },
      {
        file: LANE,
        find: '      this.#used.add(location.packNo)\n      return true',
        replace: '      return true',
      },
    ],
  },
  {
    name: 'no closure check',
    seeds: 1000,
    patches: one(SESSION, '        this.#checkClosure(stored)\n', ''),
  },
  {
    name: 'pins dropped by an abort after the commit is decided',
    seeds: 2000,
    patches: one(
      SESSION,
      "if (this.#state === 'closed' || this.#state === 'decided') return",
      "if (this.#state === 'closed') return",
    ),
  },
]

const OVERLAY_MUTANTS: readonly Omit<Mutant, 'kind'>[] = [
  {
    name: 'flush without data sync',
    seeds: 100,
    patches: one(
      COMMITTER,
      '    this.#sync(this.#files.data)\n    if (count > committed) {',
      '    if (count > committed) {',
    ),
  },
  {
    name: 'flush without journal sync',
    seeds: 100,
    patches: one(
      COMMITTER,
      'const sync = (): void => this.#sync(journal)',
      'const sync = (): void => undefined',
    ),
  },
  {
    name: 'journal before data',
    seeds: 300,
    patches: [
      {
        file: COMMITTER,
        find: '    this.#sync(this.#files.data)\n    if (count > committed) {',
        replace: '    if (count > committed) {',
      },
      {
        file: COMMITTER,
        find: '    Atomics.store(control, CONTROL.commitEnded, number)\n  }\n\n  *#dirtyRuns',
        replace:
          '    this.#sync(this.#files.data)\n' +
          '    Atomics.store(control, CONTROL.commitEnded, number)\n  }\n\n  *#dirtyRuns',
      },
    ],
  },
  {
    name: 'failed sync forgotten by the next engine',
    seeds: 300,
    patches: one(COMMITTER, 'this.#dirty.markFailed(this.#bootId)', 'void this.#bootId'),
  },
  {
    name: 'dirty records of another boot believed',
    seeds: 300,
    patches: one(
      'packages/medium/src/overlay/dirty-log.ts',
      'return header?.bootId === bootId ? header : undefined',
      'return header',
    ),
  },
]

export const MUTANTS: readonly Mutant[] = [
  ...POOL_MUTANTS.map((mutant) => ({ ...mutant, kind: 'pool' as const })),
  ...OVERLAY_MUTANTS.map((mutant) => ({ ...mutant, kind: 'overlay' as const })),
]
