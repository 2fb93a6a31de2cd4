/**
 * What is disturbed: each operation with the pool it begins on, and what must hold of the pool
 * afterwards, however it ended.
 */
import { cpSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeData, makeTree } from '@openmaas/testkit/data'
import { directoryContents } from '../support/contents.ts'
import type { Site } from '../support/site.ts'

export type OperationName = 'init' | 'backup' | 'delete' | 'gc'

/** Copied for each trial; the source is shared, for nobody changes it any more. */
export interface Origin {
  /** Undefined: no pool yet. */
  readonly pool: string | undefined
  readonly operation: OperationName
  /** Contents of each point by its id: lines of contents.ts. */
  readonly points: ReadonlyMap<string, string>
}

export interface Stage {
  readonly source: string
  /** Contents of the source, and so of every point that is made from now on. */
  readonly contents: string
  readonly origins: Readonly<Record<OperationName, Origin>>
  /** The point that `delete` deletes. */
  readonly doomed: string
}

/** Two states of a source, and the pools that init, backup, delete and gc begin on. */
export async function setStage(site: Site): Promise<Stage> {
  const source = site.folder('source')
  makeTree(source, { files: 40, sizeMin: 0, sizeMax: 20_000, filesPerDirectory: 10 })
  // Of two lanes' packs, and of more than one chunk.
  writeFileSync(join(source, 'large'), makeData('random', 1_500_000, 1))
  const first = await site.cli.backup(source)
  const points = new Map([[first.id, directoryContents(source)]])
  const keep = (name: OperationName): Origin => {
    const pool = site.join(`origin-${name}`)
    cpSync(site.pool, pool, { recursive: true })
    return { pool, operation: name, points: new Map(points) }
  }
  const backup = keep('backup')
  changeSource(source)
  const contents = directoryContents(source)
  const second = await site.cli.backup(source)
  points.set(second.id, contents)
  const remove = keep('delete')
  await site.cli.json(['points', 'delete', first.id, '--yes'])
  points.delete(first.id)
  const gc = keep('gc')
  const init: Origin = { pool: undefined, operation: 'init', points: new Map() }
  return { source, contents, origins: { init, backup, delete: remove, gc }, doomed: first.id }
}

/** Most of it: so that packs of the first point are garbage, or sparse, once it is deleted. */
function changeSource(source: string): void {
  const large = join(source, 'large')
  const half = readFileSync(large).subarray(0, 700_000)
  writeFileSync(large, Buffer.concat([half, makeData('random', 900_000, 2)]))
  renameSync(join(source, 'd0', 's1'), join(source, 'moved'))
  rmSync(join(source, 'd0', 's2'), { recursive: true })
  makeTree(join(source, 'd0', 's0'), { files: 20, seed: 2, filesPerDirectory: 5 })
}

/** Arguments of the command. */
export function argumentsOf(
  operation: OperationName,
  stage: Stage,
  place: { pool: string; lanes: number },
): string[] {
  switch (operation) {
    case 'init':
      return ['pool', 'init', place.pool, '--json']
    case 'backup':
      return ['backup', stage.source, '--lanes', String(place.lanes), '--json']
    case 'delete':
      return ['points', 'delete', stage.doomed, '--yes', '--json']
    case 'gc':
      return ['pool', 'gc', '--yes', '--approve', '--json']
  }
}
