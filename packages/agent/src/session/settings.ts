/**
 * What the administrator of this host lets control do with it, whatever control's own rules say:
 * read from the agent's configuration, never from the channel.
 */
import { realpathSync } from 'node:fs'
import { dirname, isAbsolute, join, relative, resolve, basename } from 'node:path'
import { z } from 'zod'
import { MaasError } from '@openmaas/kernel/errors'
import { fsError } from '@openmaas/kernel/fs-errors'

const absolute = z.string().startsWith('/').max(4096)

export const agentSettings = z.object({
  /** Points may be restored to this host. */
  allowRestore: z.boolean().default(true),
  /** Media may be attached and mounted here. */
  allowMount: z.boolean().default(true),
  /** Directories outside of which nothing is read, restored or mounted; null: no such limit. */
  pathsOnly: z.array(absolute).max(1000).nullable().default(null),
})
export type AgentSettings = z.infer<typeof agentSettings>

/**
 * The path as the kernel will see it, when it is one that may be touched. Links are followed
 * first: a link below an allowed directory does not lead out of it. Parts that do not exist yet
 * are taken as they stand.
 *
 * @throws MaasError ORDER_INVALID for a path that is not absolute, ORDER_REFUSED, FS_*
 */
export function checkPath(settings: AgentSettings, path: string): string {
  if (!isAbsolute(path) || path.includes('\0')) {
    throw new MaasError('ORDER_INVALID', `not an absolute path: ${path}`, { path })
  }
  const wanted = resolve(path)
  if (settings.pathsOnly === null) return wanted
  const real = realPath(wanted)
  const allowed = settings.pathsOnly.some((root) => isBelow(real, realPath(resolve(root))))
  if (allowed) return wanted
  throw new MaasError('ORDER_REFUSED', `pathsOnly does not hold ${path}`, { path })
}

/** @throws MaasError ORDER_REFUSED */
export function requireSetting(settings: AgentSettings, name: 'allowRestore' | 'allowMount'): void {
  if (settings[name]) return
  throw new MaasError('ORDER_REFUSED', `${name} is off on this host`, { setting: name })
}

function isBelow(path: string, root: string): boolean {
  const way = relative(root, path)
  return way === '' || (way !== '..' && !way.startsWith('../') && !isAbsolute(way))
}

/** Follows links in the part that exists. */
function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch (error) {
    const { code = 'EIO' } = error as NodeJS.ErrnoException
    if (code !== 'ENOENT' || path === '/') throw fsError(code, 'realpath', path, error)
    return join(realPath(dirname(path)), basename(path))
  }
}
