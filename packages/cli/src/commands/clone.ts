/** `openmaas clone <medium>`: a second disk that begins as the first one is now. */
import path from 'node:path'
import { MaasError } from '@openmaas/kernel/errors'
import { cloneMedium } from '@openmaas/agent/media/clone'
import { requirePrivilege } from '@openmaas/agent/media/plug'
import { findMedium } from '@openmaas/medium/media/record'
import {
  ATTACH_WISHES,
  mediaAccess,
  removeMountPoint,
  reportPlugged,
  withMountPoint,
} from '../pool/media.ts'
import { openReader } from '../pool/open.ts'
import type { Input } from '../program/input.ts'
import type { Site } from '../program/site.ts'

export async function run(input: Input, site: Site): Promise<void> {
  const at = input.text('at')
  if (at !== undefined && input.has('no-mount')) {
    throw new MaasError('USAGE', '--at and --no-mount exclude each other', { option: 'at' })
  }
  const attachWish = input.choice('attach', ATTACH_WISHES)
  const quotaBytes = input.size('quota')
  const reader = await openReader(site)
  const access = await mediaAccess(reader, site)
  const record = findMedium(access.fs, access.path, input.positionals[0]!)
  const mount = !input.has('no-mount')
  requirePrivilege({ attach: true })
  const { sourceName, snapshotId } = record
  const { mountPoint } = withMountPoint({
    mount,
    sourceName,
    snapshotId,
    ...(at !== undefined && { mountPoint: path.resolve(site.directory, at) }),
  })
  const result = await cloneMedium(access, record.id, {
    attach: true,
    mount,
    readOnly: false,
    ...(mountPoint !== undefined && { mountPoint }),
    ...(attachWish !== undefined && { attachWish }),
    ...(quotaBytes !== undefined && { quotaBytes }),
  }).catch((error: unknown) => {
    removeMountPoint(mountPoint)
    throw error
  })
  reportPlugged(result, site)
}
