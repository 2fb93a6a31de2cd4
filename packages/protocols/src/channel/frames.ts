/**
 * The frames of the channel, as they stand on the wire: one JSON object each. Both ends parse
 * what they get with these schemas and believe nothing else. docs/protocols/channel.md.
 */
import { ERRORS, MaasError } from '@openmaas/kernel/errors'
import type { ErrorCode, ErrorDetails } from '@openmaas/kernel/errors'
import { toMaasError } from '@openmaas/kernel/error-message'
import { z } from 'zod'
import { orderProgress } from './orders.ts'
import { ticketKey } from './ticket.ts'

export const CHANNEL_VERSION = 1
export const CHANNEL_PATH = '/channel'
export const CHANNEL_PROTOCOL = 'openmaas.channel.1'
export const CHANNEL_PORT = 8731

/** A page of 10,000 snapshots fits; a peer that sends more is broken. UTF-8 bytes. */
export const FRAME_SIZE_MAX = 4 * 1024 * 1024
/** Before the hello a peer has shown little; it gets little memory. */
export const HELLO_SIZE_MAX = 64 * 1024
export const HELLO_TIMEOUT_MS = 10_000
export const HEARTBEAT_MS = 10_000
/** Three heartbeats: one lost packet is no lost host. */
export const LOST_AFTER_MS = 30_000
/** Two machines that keep time differ by less. */
export const CLOCK_SKEW_MAX_MS = 5_000
/** Per host. More are a scheduler gone wild. */
export const ORDERS_IN_FLIGHT_MAX = 256

const text = z.string().max(4096)
const time = z.number().int().nonnegative()
const pem = z.string().max(16_384)
/** `${jobId}:${step}`, or what else names a piece of work. */
export const orderKey = z.string().min(1).max(256)

const details = z
  .record(z.string().max(128), z.union([text, z.number(), z.boolean(), z.array(text).max(100)]))
  .refine((rows) => Object.keys(rows).length <= 64, 'too many details')

/** An error on the wire: no stack, since the peer's code is no business of ours. */
export const wireError = z.object({ code: z.string().max(64), message: text, details })
export type WireError = z.infer<typeof wireError>

/** An engine that a host has a plug-in for, or a plug-in that it refused: `problem` says why. */
export const hostEngine = z.object({
  /** `postgres`; of a plug-in that was refused before it said: the name of its file. */
  engine: z.string().max(256),
  title: z.string().max(256).default(''),
  /** Of the plug-in; empty for those that come with the agent. */
  version: z.string().max(256).default(''),
  /** Versions of the engine whose programs this host has. */
  programs: z.array(z.string().max(256)).max(64).default([]),
  builtIn: z.boolean().default(false),
  problem: text.default(''),
})
export type HostEngine = z.infer<typeof hostEngine>

/** What a host tells about itself; shown to people, and checked again where it matters. */
export const hostAbout = z.object({
  os: text.default(''),
  kernel: text.default(''),
  arch: text.default(''),
  hostname: text.default(''),
  addresses: z.array(text).max(64).default([]),
  cpuCount: z.number().int().nonnegative().default(0),
  memoryBytes: z.number().int().nonnegative().default(0),
  /** Of databases. None: a version of the agent that does not tell. */
  engines: z.array(hostEngine).max(64).default([]),
})
export type HostAbout = z.infer<typeof hostAbout>

export const hello = z.object({
  type: z.literal('hello'),
  version: z.number().int(),
  role: z.enum(['agent', 'node']),
  hostId: z.string().min(1).max(64),
  /** Random per process: tells a reconnect from a restart. */
  instance: z.string().min(1).max(64),
  software: z.string().max(64),
  wallMs: time,
  verbs: z.array(z.string().max(64)).max(256),
  about: hostAbout,
  /** Where agents reach a node's data port and its NBD port, `host:port`. */
  dataAddress: text.nullable(),
  nbdAddress: text.nullable().default(null),
  /** Of the certificate that those ports show; it outlives renewals, since clients pin it. */
  portFingerprint: text.nullable().default(null),
})
export type Hello = z.infer<typeof hello>

export const hostFrame = z.discriminatedUnion('type', [
  hello,
  z.object({ type: z.literal('progress'), key: orderKey, progress: orderProgress }),
  z.object({ type: z.literal('result'), key: orderKey, result: z.unknown() }),
  z.object({ type: z.literal('failure'), key: orderKey, error: wireError }),
  z.object({
    type: z.literal('event'),
    event: z.string().min(1).max(64),
    data: z.record(z.string().max(128), z.union([text, z.number(), z.boolean(), z.null()])),
  }),
  z.object({ type: z.literal('renew'), csr: pem }),
  z.object({ type: z.literal('pong'), id: time, wallMs: time }),
])
export type HostFrame = z.infer<typeof hostFrame>

export const welcome = z.object({
  type: z.literal('welcome'),
  wallMs: time,
  ticketKeys: z.array(ticketKey).min(1).max(8),
  drained: z.boolean(),
})
export type Welcome = z.infer<typeof welcome>

export const controlFrame = z.discriminatedUnion('type', [
  welcome,
  z.object({ type: z.literal('refusal'), error: wireError }),
  z.object({
    type: z.literal('order'),
    key: orderKey,
    verb: z.string().max(64),
    params: z.unknown(),
    timeoutMs: z.number().positive(),
  }),
  z.object({ type: z.literal('cancel'), key: orderKey }),
  z.object({ type: z.literal('certificate'), certificate: pem }),
  z.object({ type: z.literal('renewFailure'), error: wireError }),
  z.object({ type: z.literal('ping'), id: time, wallMs: time }),
])
export type ControlFrame = z.infer<typeof controlFrame>

/** @throws MaasError CHANNEL_FRAME_TOO_LARGE: a huge answer; the caller fails that order */
export function encodeFrame(frame: HostFrame | ControlFrame): string {
  const encoded = JSON.stringify(frame)
  const size = Buffer.byteLength(encoded)
  if (size > FRAME_SIZE_MAX) {
    throw new MaasError('CHANNEL_FRAME_TOO_LARGE', `a ${frame.type} of ${size} bytes`, { size })
  }
  return encoded
}

/** @throws MaasError CHANNEL_PROTOCOL_VIOLATION; the caller ends the connection */
export function parseFrame<F>(schema: z.ZodType<F>, encoded: string, sizeMax: number): F {
  if (Buffer.byteLength(encoded) > sizeMax) throw violation(`a frame of more than ${sizeMax} bytes`)
  let value: unknown
  try {
    value = JSON.parse(encoded)
  } catch (cause) {
    throw violation('a frame that is not JSON', cause)
  }
  const checked = schema.safeParse(value)
  if (checked.success) return checked.data
  const [issue] = checked.error.issues
  throw violation(`${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not a frame'}`)
}

export function violation(what: string, cause?: unknown): MaasError {
  return new MaasError('CHANNEL_PROTOCOL_VIOLATION', `the peer sent ${what}`, {}, { cause })
}

/** Whatever was thrown, cut down to what the wire takes. */
export function toWireError(thrown: unknown): WireError {
  const error = toMaasError(thrown)
  const rows: [string, string | number | boolean | string[]][] = []
  for (const [key, value] of Object.entries(error.details)) {
    if (value === undefined || rows.length === 64) continue
    if (typeof value === 'object') rows.push([key, value.slice(0, 100).map(shorten)])
    // JSON has no NaN: it would arrive as null, which is no detail.
    else if (typeof value === 'boolean' || Number.isFinite(value)) rows.push([key, value])
    else rows.push([key, shorten(String(value))])
  }
  return { code: error.code, message: shorten(error.message), details: Object.fromEntries(rows) }
}

/** A code this version does not know becomes ORDER_FAILED, with that code in the details. */
export function fromWireError(error: WireError): MaasError {
  const known = Object.hasOwn(ERRORS, error.code)
  const code: ErrorCode = known ? (error.code as ErrorCode) : 'ORDER_FAILED'
  const more: ErrorDetails = known ? error.details : { ...error.details, code: error.code }
  return new MaasError(code, error.message, more)
}

function shorten(value: string): string {
  return value.length <= 4096 ? value : `${value.slice(0, 4095)}…`
}
