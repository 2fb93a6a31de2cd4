/**
 * Makes a medium that another node serves a disk of this host: record, FUSE, NBD over TLS, loop,
 * mount, in this order; detaching goes back. Both can be repeated, and find what a crash left.
 */
import { closeSync, rmSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { MaasError } from '@openmaas/kernel/errors'
import { makeDirectories } from '@openmaas/kernel/make-directories'
import { bootId } from '@openmaas/kernel/sysinfo'
import { makeKeyDescriptor, startKeeper } from '@openmaas/medium/engine/keeper'
import { engineRuns, readStatus } from '@openmaas/medium/engine/status'
import { fuseMountOf } from '@openmaas/medium/media/runtime-directory'
import type { CheckedParams, OrderHandlers, Result } from '@openmaas/protocols/channel/orders'
import { endEngine, isKeeper, waitUntilServing } from '../media/engine-process.ts'
import { checkMountPoint, prepareMountPoint } from '../media/mount-point.ts'
import { requirePrivilege } from '../media/plug.ts'
import type { AgentIdentity } from '../remote/channel-messages.ts'
import { attachDisk, detachDisk, mountDisk } from './attach-linux.ts'
import { mountFuse } from './fuse-mount.ts'
import type { RemoteSecrets } from './remote-main.ts'
import {
  directoryOf,
  listRemote,
  loadRemote,
  type RemoteRecord,
  removeRemote,
  saveRemote,
} from './remote-record.ts'

/** Not a literal below: it runs from its source, for it may outlive a bundle (tools/bundle.ts). */
const ENTRY_NAME = './remote-main.ts'
const ENTRY = fileURLToPath(new URL(ENTRY_NAME, import.meta.url))

export interface RemoteAttachOptions {
  /** The agent's data directory. */
  readonly data: string
  /** Asked at each attach: certificates are renewed. */
  readonly identity: () => AgentIdentity
}

export interface RemoteAttachRequest {
  readonly mediumId: string
  readonly readOnly: boolean
  readonly mountPath: string | null
  readonly nbd: NonNullable<CheckedParams<'medium.attach'>['nbd']>
}

/**
 * Again with the same id is fine: what is attached is answered, what is half done is done anew.
 *
 * @throws MaasError NOT_ROOT, MEDIUM_ATTACH_FAILED, NBD_*, SERVER_NOT_TRUSTED, FS_*; then
 *   nothing is left behind
 */
export async function attachRemote(
  options: RemoteAttachOptions,
  request: RemoteAttachRequest,
): Promise<Result<'medium.attach'>> {
  requirePrivilege({ attach: true })
  const { data } = options
  const known = loadRemote(directoryOf(data, request.mediumId))
  if (known !== undefined) {
    if (stateOf(data, known) === 'attached') return describeAttached(known)
    await takeDown(data, known, { force: true })
  }
  if (request.mountPath !== null) checkMountPoint(request.mountPath)
  const record = makeRecord(request)
  try {
    saveRemote(data, record)
    return await attach(options, request, record)
  } catch (error) {
    // With the keeper, when it has been started.
    const begun = loadRemote(directoryOf(data, request.mediumId)) ?? record
    await takeDown(data, begun, { force: true })
    throw error
  }
}

/**
 * @returns false when there was nothing to detach
 * @throws MaasError MEDIUM_BUSY while a program uses it; nothing has changed then
 */
export async function detachRemote(
  { data }: Pick<RemoteAttachOptions, 'data'>,
  { mediumId, force }: { readonly mediumId: string; readonly force: boolean },
): Promise<boolean> {
  const record = loadRemote(directoryOf(data, mediumId))
  if (record === undefined) return false
  // A mount whose process is gone cannot be asked, only taken away.
  const alive = stateOf(data, record) === 'attached'
  await takeDown(data, record, { force: force || !alive })
  return true
}

/** What is attached here, and what a crash has interrupted. */
export function listAttached({
  data,
}: Pick<RemoteAttachOptions, 'data'>): Result<'medium.attached'>['media'] {
  return listRemote(data).map((record) => ({
    mediumId: record.mediumId,
    device: record.device ?? null,
    mountPath: record.mountPath,
    state: stateOf(data, record),
  }))
}

/** What agent/session asks for as `media`, for media of other nodes. */
export function makeMediumPort(options: RemoteAttachOptions): {
  attach: NonNullable<OrderHandlers['medium.attach']>
  detach: NonNullable<OrderHandlers['medium.detach']>
  attached: NonNullable<OrderHandlers['medium.attached']>
} {
  return {
    attach: async ({ mediumId, readOnly, mountPath, nbd }) => {
      if (nbd === null) {
        const message = 'a medium of this very host is attached by its node'
        throw new MaasError('MEDIUM_ATTACH_FAILED', message, { mediumId })
      }
      return attachRemote(options, { mediumId, readOnly, mountPath, nbd })
    },
    detach: async (params) => ({ detached: await detachRemote(options, params) }),
    attached: async () => ({ media: listAttached(options) }),
  }
}

function makeRecord({ mediumId, readOnly, mountPath, nbd }: RemoteAttachRequest): RemoteRecord {
  const runtimeDirectory = path.join('/run/openmaas/attached', mediumId)
  return {
    version: 1,
    mediumId,
    address: nbd.address,
    exportName: nbd.exportName,
    readOnly,
    bootId: bootId(),
    runtimeDirectory,
    fuseMount: fuseMountOf(runtimeDirectory),
    mountPath,
    state: 'attaching',
  }
}

async function attach(
  { data, identity }: RemoteAttachOptions,
  { nbd }: RemoteAttachRequest,
  record: RemoteRecord,
): Promise<Result<'medium.attach'>> {
  const directory = directoryOf(data, record.mediumId)
  const { certificate, key, caCertificate } = identity()
  const secrets: RemoteSecrets = {
    certificate,
    key,
    caCertificate,
    fingerprint: nbd.fingerprint,
    ticket: nbd.ticket,
  }
  const keeperPid = startServing(directory, record, secrets)
  const kept: RemoteRecord = { ...record, keeperPid }
  saveRemote(data, kept)
  await waitUntilServing(directory, keeperPid)
  const { readOnly, mountPath, mediumId } = record
  const device = attachDisk(record.fuseMount, { readOnly, name: mediumId })
  saveRemote(data, { ...kept, device })
  if (mountPath !== null) {
    prepareMountPoint(mountPath)
    mountDisk(device, mountPath, { readOnly })
  }
  saveRemote(data, { ...kept, device, state: 'attached' })
  return { device, mountPath }
}

/** @returns the pid of the keeper */
function startServing(directory: string, record: RemoteRecord, secrets: RemoteSecrets): number {
  makeDirectories(record.fuseMount, 0o700)
  rmSync(path.join(directory, 'engine.json'), { force: true })
  const fuseFd = mountFuse(record.fuseMount, `openmaas:${record.mediumId}`)
  try {
    const keyFd = makeKeyDescriptor(Buffer.from(JSON.stringify(secrets)))
    try {
      const logPath = path.join(directory, 'engine.log')
      return startKeeper({ entry: ENTRY, mediumDirectory: directory, fuseFd, keyFd, logPath })
    } finally {
      closeSync(keyFd)
    }
  } finally {
    closeSync(fuseFd)
  }
}

function stateOf(data: string, record: RemoteRecord): 'attached' | 'interrupted' {
  if (record.bootId !== bootId() || record.state !== 'attached') return 'interrupted'
  const directory = directoryOf(data, record.mediumId)
  const kept = record.keeperPid !== undefined && isKeeper(record.keeperPid, directory)
  return kept || engineRuns(readStatus(directory)) ? 'attached' : 'interrupted'
}

function describeAttached({ device, mountPath }: RemoteRecord): Result<'medium.attach'> {
  return { device: device ?? '', mountPath }
}

async function takeDown(
  data: string,
  record: RemoteRecord,
  options: { readonly force: boolean },
): Promise<void> {
  const directory = directoryOf(data, record.mediumId)
  if (record.bootId === bootId()) {
    // Unmounting writes back what is not written: the process has to serve until then.
    await detachDisk({ fuseMount: record.fuseMount }, options)
    saveRemote(data, { ...record, state: 'detaching' })
    const { keeperPid, runtimeDirectory } = record
    await endEngine(directory, runtimeDirectory, {
      force: options.force || record.state === 'attaching',
      ...(keeperPid !== undefined && { keeperPid }),
    })
  }
  rmSync(record.runtimeDirectory, { recursive: true, force: true })
  removeRemote(data, record.mediumId)
}
