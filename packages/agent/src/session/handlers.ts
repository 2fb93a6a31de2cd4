/**
 * What an agent does about each order. It reads sources and adds what it read to a pool, brings
 * points back where it is told, and makes media disks: nothing else, and no command is ever run
 * for control. The host's own settings are asked first.
 */
import { lstat, readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { MaasError } from '@openmaas/kernel/errors'
import { fsError } from '@openmaas/kernel/fs-errors'
import { userName } from '@openmaas/kernel/posix/identity'
import type { entryRow, OrderHandlers, PoolTarget, Verb } from '@openmaas/protocols/channel/orders'
import type { z } from 'zod'
import { makeDatabaseHandlers } from '../database/handlers.ts'
import { discover } from './discover.ts'
import { listMounts } from '../database/mount-state.ts'
import type { AgentPorts, DataPath } from './ports.ts'
import { checkPath, requireSetting } from './settings.ts'
import type { AgentSettings } from './settings.ts'

type Entry = z.infer<typeof entryRow>

export interface AgentHandlerOptions {
  readonly ports: AgentPorts
  readonly settings: AgentSettings
}

export function makeAgentHandlers({ ports, settings }: AgentHandlerOptions): OrderHandlers {
  const { media, databases } = ports
  return {
    'host.discover': async () => ({ items: await discover() }),
    'host.list': ({ path, limit }) => listDirectory(checkPath(settings, path), limit),
    'source.capture': async (params, context) => {
      const path = checkPath(settings, params.path)
      const pools = choosePools(ports, params.target, 'source.capture')
      return pools.capture({ ...params, path }, context)
    },
    'point.restore': async (params, context) => {
      requireSetting(settings, 'allowRestore')
      const to = checkPath(settings, params.to)
      const pools = choosePools(ports, params.target, 'point.restore')
      return pools.restore({ ...params, to }, context)
    },
    ...(media !== undefined && {
      'medium.attach': async (params, context) => {
        requireSetting(settings, 'allowMount')
        const { mountPath } = params
        const checked = mountPath === null ? null : checkPath(settings, mountPath)
        return media.attach({ ...params, mountPath: checked }, context)
      },
      // Never forbidden: what is attached must be able to go.
      'medium.detach': (params, context) => media.detach(params, context),
      'medium.attached': async (params, context) => ({
        ...(await media.attached(params, context)),
        mounts: await listMounts(),
      }),
      'medium.resize': (params, context) => media.resize(params, context),
    }),
    ...(databases !== undefined && makeDatabaseHandlers({ plugins: databases, settings })),
  }
}

function choosePools(ports: AgentPorts, target: PoolTarget, verb: Verb): DataPath {
  const pools = target.kind === 'local' ? ports.local : ports.remote
  if (pools !== undefined) return pools
  throw new MaasError('ORDER_UNKNOWN', `this host has no way to a ${target.kind} pool`, { verb })
}

/** The first entries by name; hidden ones too, since they are data as well. */
async function listDirectory(
  path: string,
  limit: number,
): Promise<{ entries: Entry[]; more: boolean }> {
  let names: string[]
  try {
    names = await readdir(path)
  } catch (error) {
    const { code = 'EIO' } = error as NodeJS.ErrnoException
    throw fsError(code, 'readdir', path, error)
  }
  names.sort()
  const rows = await Promise.all(names.slice(0, limit).map((name) => readEntry(path, name)))
  const entries = rows.filter((row) => row !== undefined)
  return { entries, more: names.length > limit }
}

/** Undefined for one that went away meanwhile. */
async function readEntry(directory: string, name: string): Promise<Entry | undefined> {
  const path = join(directory, name)
  try {
    const stat = await lstat(path)
    const kind = stat.isDirectory()
      ? 'directory'
      : stat.isFile()
        ? 'file'
        : stat.isSymbolicLink()
          ? 'symlink'
          : 'other'
    const { size, mtimeMs, mode, uid } = stat
    const owner = userName(uid)?.toString() ?? String(uid)
    const target = kind === 'symlink' ? { target: await readlink(path) } : {}
    return { name, kind, size, mtimeMs, mode, owner, ...target }
  } catch (error) {
    const { code = 'EIO' } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    throw fsError(code, 'lstat', path, error)
  }
}
