/** JSON payloads of the data wire, checked on both ends. docs/protocols/data.md. */
import { z } from 'zod'
import { TICKET_SIZE_MAX } from '../channel/ticket.ts'
import { dataViolation, parseJson } from './frames.ts'

const text = z.string().max(4096)
const id = z.string().min(1).max(128)
const count = z.number().int().nonnegative()
const chunkId = z.string().regex(/^[0-9a-f]{64}$/)
const kind = z.enum(['tree', 'volume'])
const names = z.record(z.string().max(16), z.string().max(256))

export const hello = z.object({
  version: z.number().int(),
  ticket: z.string().max(TICKET_SIZE_MAX),
  open: z.discriminatedUnion('do', [
    z.object({
      do: z.literal('capture'),
      kind,
      requestId: id,
      parentSnapshotId: id.nullable(),
    }),
    z.object({ do: z.literal('restore'), snapshotId: id }),
    z.object({ do: z.literal('join'), session: id }),
  ]),
})
export type Hello = z.infer<typeof hello>

export const capturedSnapshot = z.object({
  snapshotId: id,
  kind,
  takenAt: count,
  sizeBytes: count,
  addedBytes: count,
  itemCount: count,
})
export type CapturedSnapshot = z.infer<typeof capturedSnapshot>

export const welcome = z.object({
  version: z.number().int(),
  session: id,
  /** Of the pool: 32 bytes each, in hex. Null for a connection that joins, and for a restore. */
  keys: z.object({ chunkId, chunker: chunkId }).nullable(),
  /** What this capture goes on from. */
  parent: z.object({ snapshotId: id, root: chunkId, bytes: count, files: count }).nullable(),
  /** The request has been carried out before: there is nothing to do. */
  done: capturedSnapshot.nullable(),
  /** What is restored. */
  snapshot: z
    .object({
      kind,
      root: chunkId,
      sourceName: text,
      sourcePath: text,
      users: names,
      groups: names,
    })
    .nullable(),
})
export type Welcome = z.infer<typeof welcome>

export const flushed = z.object({ newBytes: count, storedBytes: count, busyMs: z.number() })
export type Flushed = z.infer<typeof flushed>

export const commit = z.object({
  root: chunkId,
  sourceName: text,
  sourcePath: text,
  host: text,
  startedAt: z.iso.datetime(),
  endedAt: z.iso.datetime(),
  users: names,
  groups: names,
  tags: z.record(text, text),
  lockUntil: count.nullable(),
  warnings: z.object({ count, first: z.array(z.string().max(8192)).max(100) }),
})
export type Commit = z.infer<typeof commit>

export const failure = z.object({
  code: z.string().max(64),
  message: z.string().max(65_536),
  details: z.record(z.string(), z.unknown()),
})

/** @throws MaasError DATA_PROTOCOL_VIOLATION */
export function decodeMessage<T>(schema: z.ZodType<T>, payload: Buffer): T {
  const parsed = schema.safeParse(parseJson(payload))
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw dataViolation(`${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not as specified'}`)
}
