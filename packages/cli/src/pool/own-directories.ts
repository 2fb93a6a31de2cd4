/**
 * The pool's own directories as seen from a source or a target. A backup leaves them out: each run
 * would store what the one before it stored. A restore stays out of them.
 */
import { realpathSync } from 'node:fs'
import path from 'node:path'
import { MaasError } from '@openmaas/kernel/errors'

/**
 * @returns patterns that leave the bricks out, as in a .gitignore; none when they lie elsewhere
 * @throws MaasError SOURCE_UNSUPPORTED when the source is a brick, or lies in one
 */
export function poolPatterns(source: string, bricks: readonly string[]): string[] {
  const from = realPath(source)
  return bricks.flatMap((brick) => {
    const at = realPath(brick)
    if (isWithin(from, at)) {
      const message = `${source} is the pool itself: a backup into itself protects nothing`
      throw new MaasError('SOURCE_UNSUPPORTED', message, { path: source, pool: brick })
    }
    if (!isWithin(at, from)) return []
    return [`/${path.relative(from, at).replaceAll(/[\\*?[]/g, String.raw`\$&`)}`]
  })
}

/** @throws MaasError RESTORE_CONFLICT when the target is a brick, or lies in one */
export function refusePoolAsTarget(target: string, bricks: readonly string[]): void {
  const brick = bricks.find((candidate) => isWithin(realPath(target), realPath(candidate)))
  if (brick === undefined) return
  const message = `${target} lies in the pool: nothing else belongs there`
  throw new MaasError('RESTORE_CONFLICT', message, { path: target, pool: brick })
}

function isWithin(inner: string, outer: string): boolean {
  return inner === outer || inner.startsWith(outer.endsWith('/') ? outer : `${outer}/`)
}

/** Of as much of it as is there. */
function realPath(wanted: string): string {
  try {
    return realpathSync(wanted)
  } catch {
    const parent = path.dirname(wanted)
    return parent === wanted ? wanted : path.join(realPath(parent), path.basename(wanted))
  }
}
