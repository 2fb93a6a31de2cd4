/** Machines that joined: agents (customers') and nodes (ours). */
import { z } from 'zod'
import {
  absolutePath,
  count,
  idOf,
  labels,
  lineText,
  nameText,
  timeOrNull,
  timeShown,
  version,
} from './common.ts'

export const hostKind = z.enum(['agent', 'node'])

/** An engine of databases that an agent has a plug-in for. */
export const hostEngine = z
  .object({
    /** What a source of it has as its kind; of a plug-in that was refused, the name of its file. */
    engine: z.string(),
    title: z.string(),
    /** Of the plug-in; empty for those that come with the agent. */
    version: z.string(),
    /** Versions of the engine whose programs the host has. */
    programs: z.array(z.string()),
    builtIn: z.boolean(),
    /** Why it cannot be used; empty when it can. */
    problem: z.string(),
  })
  .meta({ id: 'HostEngine' })
export type HostEngine = z.infer<typeof hostEngine>

export const host = z
  .object({
    id: idOf('host'),
    name: z.string(),
    kind: hostKind,
    labels,
    state: z.enum(['pending', 'online', 'offline', 'removed']),
    /** Takes no new work. */
    drained: z.boolean(),
    softwareVersion: z.string(),
    /** What it said of itself at its last hello. */
    about: z.record(z.string(), z.unknown()),
    /** Of databases, of an agent. */
    engines: z.array(hostEngine).optional(),
    dataAddress: z.string().nullable(),
    certificateNotAfter: timeOrNull,
    lastSeenAt: timeOrNull,
    clockSkewMs: z.number(),
    createdAt: timeShown,
    version,
  })
  .meta({ id: 'Host' })
export type Host = z.infer<typeof host>

export const hostChange = z.strictObject({
  name: nameText.optional(),
  labels: labels.optional(),
})

export const joinToken = z
  .object({
    id: idOf('joinToken'),
    kind: hostKind,
    labels,
    createdBy: z.string(),
    createdAt: timeShown,
    expiresAt: timeShown,
    usedAt: timeOrNull,
    hostId: idOf('host').nullable(),
  })
  .meta({ id: 'JoinToken' })

const LIFETIME_MAX_SECONDS = 24 * 3600
export const joinTokenCreate = z.strictObject({
  kind: hostKind.default('agent'),
  labels: labels.default({}),
  lifetimeSeconds: z.number().int().min(60).max(LIFETIME_MAX_SECONDS).default(3600),
  /** Joins as this host: a new machine, or one whose certificate ran out. Its sources stay. */
  hostId: idOf('host').optional(),
})
/** `command` is the one line to run on the new machine. */
export const joinTokenCreated = z.object({
  joinToken,
  secret: z.string(),
  fingerprint: z.string(),
  server: z.string(),
  command: z.string(),
})

export const discovered = z
  .object({
    items: z.array(
      z.object({
        kind: z.string(),
        path: z.string(),
        sizeBytes: count,
        usedBytes: count.optional(),
        detail: z.string(),
        /** The source that protects it already. */
        sourceId: idOf('source').nullable(),
      }),
    ),
  })
  .meta({ id: 'Discovered' })

export const entry = z
  .object({
    name: z.string(),
    kind: z.enum(['file', 'directory', 'symlink', 'other']),
    sizeBytes: count,
    modifiedAt: timeShown,
    mode: count,
    owner: z.string(),
    target: z.string().optional(),
  })
  .meta({ id: 'Entry' })
export type Entry = z.infer<typeof entry>

export const hostListQuery = z.strictObject({
  path: absolutePath.default('/'),
  limit: z.coerce.number<number | string>().int().min(1).max(1000).default(200),
})
export const hostListing = z.object({ items: z.array(entry), more: z.boolean() })
export const drainChange = z.strictObject({ reason: lineText.optional() })
