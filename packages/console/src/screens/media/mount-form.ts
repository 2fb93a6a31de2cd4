/** What the mount drawer asks for, and what it sends. */
import type { Host } from '@openmaas/api/resources/host'
import type { BodyFor } from '@openmaas/api/routes/routes'
import { LIFETIME_DEFAULT_SECONDS } from './lifetimes.ts'

export interface MountForm {
  readonly hostId: string | null
  readonly readOnly: boolean
  readonly lifetimeSeconds: number
  readonly purpose: string
  /** Empty: a place is chosen. */
  readonly mountPath: string
  readonly diskOnly: boolean
  readonly protocol: 'auto' | 'local' | 'nbd'
  /** GiB of changes; null: no quota. */
  readonly quotaGib: number | null
}

const GIB = 1024 ** 3
/** For roles that must have one: enough to try something out. */
const QUOTA_LIMITED_GIB = 10

export function emptyMount(isLimited: boolean): MountForm {
  return {
    hostId: null,
    readOnly: false,
    lifetimeSeconds: LIFETIME_DEFAULT_SECONDS,
    purpose: '',
    mountPath: '',
    diskOnly: false,
    protocol: 'auto',
    quotaGib: isLimited ? QUOTA_LIMITED_GIB : null,
  }
}

type Candidate = Pick<Host, 'id' | 'state' | 'drained' | 'name'>

export function canMount({ state, drained }: Candidate): boolean {
  return state === 'online' && !drained
}

/** The host that the data came from when it can take it, else the first that can. */
export function preferredHost(hosts: readonly Candidate[], own: string): string | null {
  const fitting = hosts.filter((host) => canMount(host))
  return (fitting.find(({ id }) => id === own) ?? fitting[0])?.id ?? null
}

export function isPathWrong({ mountPath, diskOnly }: MountForm): boolean {
  return !diskOnly && mountPath !== '' && !mountPath.startsWith('/')
}

export function toMountBody(form: MountForm, hostId: string): BodyFor<'mountPoint'> {
  const { readOnly, lifetimeSeconds, purpose, mountPath, diskOnly, protocol, quotaGib } = form
  return {
    hostId,
    readOnly,
    lifetimeSeconds,
    protocol,
    mount: !diskOnly,
    mountPath: diskOnly || mountPath === '' ? null : mountPath,
    quotaBytes: quotaGib === null ? null : Math.round(quotaGib * GIB),
    purpose: purpose.trim(),
  }
}

/** `openmaas point mount …`: the same by CLI. */
export function mountCli(pointId: string, form: MountForm, hostName: string): string {
  const { readOnly, lifetimeSeconds, mountPath, diskOnly } = form
  const options = [
    `--to ${hostName}`,
    `--ttl ${lifetimeSeconds / 3600}h`,
    readOnly ? '--read-only' : '',
    diskOnly ? '--no-mount' : '',
    !diskOnly && mountPath !== '' ? `--path ${mountPath}` : '',
  ]
  return ['openmaas point mount', pointId, ...options].filter((part) => part !== '').join(' ')
}
