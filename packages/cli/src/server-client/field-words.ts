/**
 * Places of a request as the person wrote them: a server says `/database/volumeBytes`, and the
 * command line has --volume-size.
 */
import type { Input } from '../program/input.ts'

/** Field → options that may have made it; the first that the command knows is meant. */
const OPTIONS: Readonly<Record<string, readonly string[]>> = {
  approvalId: ['approval'],
  assertions: ['assert'],
  at: ['at'],
  autoRefresh: ['refresh-every'],
  bytesPerSecond: ['rate'],
  ca: ['ca-file'],
  clockLimitMs: ['clock-limit'],
  confirm: ['yes'],
  directory: ['directory'],
  exclude: ['exclude'],
  groupPointId: ['point'],
  host: ['place'],
  hostId: ['to', 'on', 'host'],
  include: ['include'],
  labels: ['label'],
  lifetimeSeconds: ['drop-after', 'ttl'],
  listen: ['listen'],
  liveSync: ['live'],
  lockUntil: ['lock-until'],
  mountPath: ['path'],
  name: ['name'],
  password: ['password-file'],
  path: ['path'],
  policyId: ['policy'],
  poolId: ['pool-name'],
  port: ['port', 'place'],
  position: ['position'],
  priority: ['priority'],
  protocol: ['protocol'],
  purpose: ['for'],
  quotaBytes: ['quota'],
  reason: ['reason'],
  retainedLimitBytes: ['retained'],
  retention: ['keep'],
  roles: ['role'],
  rpo: ['rpo'],
  scope: ['scope'],
  selector: ['selector'],
  selfService: ['self-service'],
  settings: ['set'],
  stagingHostId: ['on'],
  synchronous: ['synchronous'],
  tls: ['tls'],
  topics: ['topic'],
  transaction: ['transaction'],
  until: ['until'],
  url: ['url'],
  user: ['user'],
  volumeBytes: ['volume-size'],
  volumeMaxBytes: ['volume-max'],
}

/** The option where there is one, else the field with its parents: `spec.windows.0`. */
export function wordFor(pointer: string, input: Input | undefined): string {
  const parts = pointer.split('/').filter((part) => part !== '')
  for (const part of parts.toReversed()) {
    const field = /^filter\[(\w+)\]$/.exec(part)?.[1] ?? part
    if (!Object.hasOwn(OPTIONS, field)) continue
    const option = OPTIONS[field]!.find((name) => input?.knows(name) === true)
    if (option !== undefined) return `--${option}`
  }
  return parts.filter((part) => !['query', 'params', 'body'].includes(part)).join('.') || pointer
}
