/** `openmaas plug <point>`: a recovery point becomes a disk. */
import path from 'node:path'
import { MaasError } from '@openmaas/kernel/errors'
import type { PlugOptions, PoolAccess } from '@openmaas/agent/media/types'
import { listPoints, openReader } from '../pool/open.ts'
import {
  ATTACH_WISHES,
  mediaAccess,
  removeMountPoint,
  reportPlugged,
  withMountPoint,
} from '../pool/media.ts'
import { type Point, resolvePoint } from '../pool/points.ts'
import type { Input } from '../program/input.ts'
import type { Site } from '../program/site.ts'

export async function run(input: Input, site: Site): Promise<void> {
  const wanted = input.positionals[0]
  const resumed = input.text('resume')
  if ((wanted === undefined) === (resumed === undefined)) {
    throw new MaasError('USAGE', 'plug wants either a point or --resume <medium>')
  }
  checkOptions(input)
  const reader = await openReader(site, loadPlug)
  const point =
    wanted === undefined ? undefined : resolvePoint(listPoints(reader), wanted, site.clock.wallMs())
  const access = await mediaAccess(reader, site)
  if (point === undefined) {
    const { findMedium } = await import('@openmaas/medium/media/record')
    const { resume } = await import('@openmaas/agent/media/plug')
    const result = await resume(access, findMedium(access.fs, access.path, resumed!))
    reportPlugged(result, site)
    return
  }
  await plugPoint(access, plugOptions(input, point, site), site)
}

/** Loaded ahead, while the passphrase is stretched. */
function loadPlug(): Promise<unknown> {
  return Promise.all([
    import('@openmaas/agent/media/plug'),
    import('@openmaas/agent/media/reconcile'),
  ])
}

async function plugPoint(access: PoolAccess, wish: PlugOptions, site: Site): Promise<void> {
  const { plug, requirePrivilege } = await import('@openmaas/agent/media/plug')
  requirePrivilege(wish)
  const options = withMountPoint(wish)
  try {
    const result = await plug(access, options)
    if (site.signal.aborted) {
      // Interrupted while it was being made: nobody knows of the disk yet.
      const { eject } = await import('@openmaas/agent/media/eject')
      await eject(access, result.medium, { force: true, keep: false })
      throw site.signal.reason
    }
    reportPlugged(result, site)
  } catch (error) {
    removeMountPoint(options.mountPoint)
    throw error
  }
}

/** @throws MaasError USAGE for flags that contradict each other */
function checkOptions(input: Input): void {
  const clash = (one: string, other: string): void => {
    if (!input.has(one) || !input.has(other)) return
    throw new MaasError('USAGE', `--${one} and --${other} exclude each other`, { option: one })
  }
  clash('at', 'no-mount')
  clash('at', 'no-attach')
  clash('attach', 'no-attach')
  clash('read-only', 'quota')
  if (input.has('no-attach') && !input.has('nbd')) {
    throw new MaasError('USAGE', '--no-attach leaves nothing without --nbd', {
      option: 'no-attach',
    })
  }
}

function plugOptions(input: Input, { row, manifest }: Point, { directory }: Site): PlugOptions {
  const attach = !input.has('no-attach')
  const mount = attach && !input.has('no-mount')
  const at = input.text('at')
  const nbd = input.text('nbd')
  const attachWish = input.choice('attach', ATTACH_WISHES)
  const quotaBytes = input.size('quota')
  const freeBytes = input.size('free')
  return {
    snapshotId: row.id,
    sourceName: manifest.source.name,
    attach,
    mount,
    readOnly: input.has('read-only'),
    ...(mount && at !== undefined && { mountPoint: path.resolve(directory, at) }),
    ...(attachWish !== undefined && { attachWish }),
    ...(nbd !== undefined && { nbd: nbdAddress(nbd, directory) }),
    ...(quotaBytes !== undefined && { quotaBytes }),
    ...(freeBytes !== undefined && { freeBytes }),
  }
}

/** `unix` alone is a socket of the medium's own; a path or `host:port` is taken as it is. */
function nbdAddress(text: string, directory: string): string {
  if (text === '' || text === 'unix') return 'unix'
  if (text === 'unix:') throw new MaasError('USAGE', '--nbd=unix: wants a path', { option: 'nbd' })
  return text.startsWith('unix:') ? path.resolve(directory, text.slice('unix:'.length)) : text
}
