/**
 * Where the sockets and the FUSE mount of a medium stand: on this machine, gone with the boot,
 * and short enough for a unix socket's path (107 bytes).
 */
import { tmpdir } from 'node:os'
import path from 'node:path'
import process from 'node:process'
import type { MediumId } from '@openmaas/kernel/ids'

export function runtimeDirectoryOf(id: MediumId): string {
  if (process.getuid?.() === 0) return path.join('/run/openmaas', id)
  const own =
    process.env['XDG_RUNTIME_DIR'] ?? path.join(tmpdir(), `openmaas-${process.getuid?.()}`)
  return path.join(own, 'openmaas', id)
}

export const controlSocketOf = (runtimeDirectory: string): string =>
  path.join(runtimeDirectory, 'control')
export const nbdSocketOf = (runtimeDirectory: string): string => path.join(runtimeDirectory, 'nbd')
export const fuseMountOf = (runtimeDirectory: string): string => path.join(runtimeDirectory, 'fuse')
