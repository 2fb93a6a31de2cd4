/**
 * Makes a medium that another node serves a disk of this host: record, FUSE, NBD over TLS, loop,
 * mount, in this order; detaching goes back. Both can be repeated, and find what a crash left.
 */
import { closeSync, rmSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { isMaasError, MaasError } from '@openmaas/kernel/errors'
import { makeDirectories } from '@openmaas/kernel/make-directories'
import { bootId } from '@openmaas/kernel/sysinfo'
import { askEngine } from '@openmaas/medium/engine/control'
import { makeKeyDescriptor, startKeeper } from '@openmaas/medium/engine/keeper'
import { engineRuns, readStatus } from '@openmaas/medium/engine/status'
import { controlSocketOf, fuseMountOf } from '@openmaas/medium/media/runtime-directory'
import type { CheckedParams, OrderHandlers, Result } from '@openmaas/protocols/channel/orders'
import { endEngine, isKeeper, waitUntilServing } from '../media/engine-process.ts'
import { checkMountPoint, prepareMountPoint, removeMountPoint } from '../media/mount-point.ts'
import { requirePrivilege } from '../media/plug.ts'
import type { AgentIdentity } from '../remote/channel-messages.ts'
import { attachDisk, detachDisk } from './attach-linux.ts'
import {
  type FileSystemWish,
  growFileSystem,
  growUnmounted,
  makeFileSystem,
} from './file-system.ts'
import { listMounts, mountFuse } from './fuse-mount.ts'
import { type MountRequest, runMountProcess } from './mount-process.ts'
import { resizeDisk } from './resize-disk.ts'
import type { RemoteSecrets } from './remote-main.ts'
import {
  directoryOf,
  listRemote,
  loadRemote,
  type RemoteRecord,
  removeRemote,
  saveRemote,
} from './remote-record.ts'

/** An ext4 that was not unmounted reads its journal, 128 MiB at most; a live node takes seconds. */
const MOUNT_TIMEOUT_MS = 120_000
/** Not a literal below: it runs from its source, for it may outlive a bundle (tools/bundle.ts). */
const ENTRY_NAME = './remote-main.ts'
const ENTRY = fileURLToPath(new URL(ENTRY_NAME, import.meta.url))

export interface RemoteAttachOptions {
  /** The agent's data directory. */
  readonly data: string
  /** Asked at each attach: certificates are renewed. */
  readonly identity: () => AgentIdentity
  /** How long a detach may wait for what is not written back; see detachDisk. */
  readonly unmountTimeoutMs?: number | undefined
}

export interface RemoteAttachRequest {
  readonly mediumId: string
  readonly readOnly: boolean
  readonly mountPath: string | null
  /** Made on a disk that holds nothing yet. */
  readonly format?: FileSystemWish | null
  /** Its file system takes all of the disk, also one that grows only before it is mounted. */
  readonly grow?: boolean
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
  signal?: AbortSignal,
): Promise<Result<'medium.attach'>> {
  requirePrivilege({ attach: true })
  const { data } = options
  const known = loadRemote(directoryOf(data, request.mediumId))
  if (known !== undefined) {
    const isThere = stateOf(data, known) === 'attached' && isMounted(known)
    if (isThere) return describeAttached(known)
    // What a detach has left to be written back is waited for.
    const force = known.state !== 'detaching' || !isAlive(data, known)
    await takeDown(data, known, { force, signal })
  }
  if (request.mountPath !== null) checkMountPoint(request.mountPath)
  // An attempt to make the file system that was cut short is known by the record alone.
  const formatting = known?.formatting === true
  const record = { ...makeRecord(request), ...(formatting && { formatting }) }
  try {
    saveRemote(data, record)
    return await attach(options, { request, record, signal })
  } catch (error) {
    // With the keeper, when it has been started.
    const begun = loadRemote(directoryOf(data, request.mediumId)) ?? record
    await takeDown(data, begun, { force: true })
    if (begun.formatting === true) saveRemote(data, begun)
    throw error
  }
}

/**
 * @returns false when there was nothing to detach
 * @throws MaasError MEDIUM_BUSY while a program uses it; nothing has changed then.
 *   MEDIUM_UNMOUNT_SLOW, CANCELLED: the node is away, and what is to be written waits for it
 */
export async function detachRemote(
  { data, unmountTimeoutMs }: Pick<RemoteAttachOptions, 'data' | 'unmountTimeoutMs'>,
  { mediumId, force }: { readonly mediumId: string; readonly force: boolean },
  signal?: AbortSignal,
): Promise<boolean> {
  const record = loadRemote(directoryOf(data, mediumId))
  if (record === undefined) return false
  // A mount whose process is gone cannot be asked, only taken away.
  const lost = record.state === 'attaching' || !isAlive(data, record)
  await takeDown(data, record, { force: force || lost, signal, unmountTimeoutMs })
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
  resize: NonNullable<OrderHandlers['medium.resize']>
} {
  return {
    attach: async ({ mediumId, readOnly, mountPath, format, grow, nbd }, { signal }) => {
      if (nbd === null) {
        const message = 'a medium of this very host is attached by its node'
        throw new MaasError('MEDIUM_ATTACH_FAILED', message, { mediumId })
      }
      return attachRemote(options, { mediumId, readOnly, mountPath, format, grow, nbd }, signal)
    },
    detach: async (params, { signal }) => ({
      detached: await detachRemote(options, params, signal),
    }),
    attached: async () => ({ media: listAttached(options) }),
    resize: async ({ mediumId }, { signal }) => ({
      sizeBytes: await resizeRemote(options, mediumId, signal),
    }),
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

interface Attaching {
  readonly request: RemoteAttachRequest
  readonly record: RemoteRecord
  readonly signal: AbortSignal | undefined
}

async function attach(
  { data, identity }: RemoteAttachOptions,
  { request: { nbd, format = null, grow = false }, record, signal }: Attaching,
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
  await waitUntilServing(directory, keeperPid, signal)
  const { readOnly, mountPath, mediumId } = record
  const device = attachDisk(record.fuseMount, { readOnly, name: mediumId })
  saveRemote(data, { ...kept, device })
  const { formatting: begun = false, ...made } = kept
  if (format !== null && !readOnly) {
    const note = (formatting: boolean): void => {
      saveRemote(data, { ...made, device, ...(formatting && { formatting }) })
    }
    await makeFileSystem({ device, type: format, begun, note, signal })
  }
  if (mountPath !== null) {
    if (grow && !readOnly) await growUnmounted(device, signal)
    prepareMountPoint(mountPath, directory)
    // What is deleted on a volume takes no space in the point that comes next.
    const discard = !readOnly
    const type = await mountApart(
      { do: 'mount', device, target: mountPath, readOnly, discard },
      signal,
    )
    // An ext4 is as large as its disk already.
    if (grow && !readOnly && type !== 'ext4') await growFileSystem(device, signal)
  }
  saveRemote(data, { ...made, device, state: 'attached' })
  return { device, mountPath }
}

/**
 * The disk is as large as its node says now, and so is the file system that is mounted from it.
 *
 * @returns bytes of the disk
 * @throws MaasError MEDIUM_NOT_PLUGGED, MEDIUM_ENGINE_UNREACHABLE, MEDIUM_ATTACH_FAILED
 */
async function resizeRemote(
  { data }: Pick<RemoteAttachOptions, 'data'>,
  mediumId: string,
  signal: AbortSignal,
): Promise<number> {
  const record = loadRemote(directoryOf(data, mediumId))
  if (record?.device === undefined || stateOf(data, record) !== 'attached') {
    throw new MaasError('MEDIUM_NOT_PLUGGED', 'the medium is not attached here', { mediumId })
  }
  await askEngine(controlSocketOf(record.runtimeDirectory), 'resize')
  return resizeDisk(record.device, record.fuseMount, signal)
}

async function mountApart(
  request: Extract<MountRequest, { do: 'mount' }>,
  signal: AbortSignal | undefined,
): Promise<string> {
  const type = await runMountProcess(request, { timeoutMs: MOUNT_TIMEOUT_MS, signal })
  if (typeof type === 'string') return type
  const message = 'the node did not answer while its medium was mounted'
  throw new MaasError('MEDIUM_ATTACH_FAILED', message, { path: request.target })
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
  return record.state === 'attached' && isAlive(data, record) ? 'attached' : 'interrupted'
}

/** Somebody may have unmounted it: then it is attached anew. */
function isMounted({ mountPath, device }: RemoteRecord): boolean {
  return mountPath === null || listMounts().some(({ source }) => source === device)
}

/** True while a process serves it, or will again. */
function isAlive(data: string, record: RemoteRecord): boolean {
  if (record.bootId !== bootId()) return false
  const directory = directoryOf(data, record.mediumId)
  const kept = record.keeperPid !== undefined && isKeeper(record.keeperPid, directory)
  return kept || engineRuns(readStatus(directory))
}

function describeAttached({ device, mountPath }: RemoteRecord): Result<'medium.attach'> {
  return { device: device ?? '', mountPath }
}

interface TakeDownOptions {
  readonly force: boolean
  readonly signal?: AbortSignal | undefined
  readonly unmountTimeoutMs?: number | undefined
}

async function takeDown(
  data: string,
  record: RemoteRecord,
  options: TakeDownOptions,
): Promise<void> {
  const directory = directoryOf(data, record.mediumId)
  if (record.bootId === bootId()) {
    // Unmounting writes back what is not written: the process has to serve until then.
    await detachDisk({ fuseMount: record.fuseMount }, options).catch((error: unknown) => {
      // Else it has lost its name already: it is attached no more.
      if (!isMaasError(error, 'MEDIUM_BUSY')) saveRemote(data, { ...record, state: 'detaching' })
      throw error
    })
    saveRemote(data, { ...record, state: 'detaching' })
    const { keeperPid, runtimeDirectory } = record
    await endEngine(directory, runtimeDirectory, {
      force: options.force || record.state === 'attaching',
      ...(keeperPid !== undefined && { keeperPid }),
    })
  }
  rmSync(record.runtimeDirectory, { recursive: true, force: true })
  if (record.mountPath !== null) removeMountPoint(record.mountPath, directory)
  removeRemote(data, record.mediumId)
}
