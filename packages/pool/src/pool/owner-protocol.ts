/**
 * What another process may ask of the owner, over `<brick0>/owner.sock`. One JSON text per line.
 *
 *   owner                                   asker
 *     {"format":1,"nonce":"<32 hex>"}  ──▶
 *                                      ◀──  {"mac":"<64 hex>","request":{…}}
 *     {"ok":true} | {"error":{"code":…,"message":…}}  ──▶   (then either side may close)
 *
 * mac = BLAKE3 keyed with the socket key (derived from the master key) over nonce ‖ canonical
 * request: whoever can ask can also read the pool, and no line can be played again. One request
 * per connection. No I/O in here; agent/owner has the sockets.
 */
import { timingSafeEqual } from 'node:crypto'
import { Blake3Hasher } from '@napi-rs/blake-hash'
import { errorToMessage, reviveError } from '@openmaas/kernel/error-message'
import { MaasError } from '@openmaas/kernel/errors'
import type { ErrorMessage } from '@openmaas/kernel/error-message'
import type { Random } from '@openmaas/kernel/random'
import { canonicalJson } from '../keys/canonical-json.ts'
import type { Json } from '../keys/canonical-json.ts'
import type { PinRequest, Pool } from './pool.ts'

/** A pin of 256 snapshots has 8 KiB; a longer line is no request. */
export const LINE_SIZE_MAX = 64 * 1024
const NONCE_SIZE = 16

export type OwnerRequest =
  | { readonly op: 'pin'; readonly pin: PinRequest }
  | { readonly op: 'unpin'; readonly id: string }

/** What a holder of pins needs of an owner, in this process or another. */
export type PinOwner = Pick<Pool, 'pin' | 'unpin'>

export interface Greeting {
  readonly line: string
  readonly nonce: Buffer
}

export function makeGreeting(random: Random): Greeting {
  const nonce = random.bytes(NONCE_SIZE)
  return { nonce, line: `${JSON.stringify({ format: 1, nonce: nonce.toString('hex') })}\n` }
}

/** @returns the line that answers the greeting. @throws MaasError POOL_BUSY when it is none */
export function answerGreeting(socketKey: Buffer, greeting: string, request: OwnerRequest): string {
  const { nonce, format } = parseLine(greeting) as { nonce?: unknown; format?: unknown }
  if (format !== 1 || typeof nonce !== 'string' || !/^[0-9a-f]{32}$/.test(nonce)) {
    throw new MaasError('POOL_BUSY', 'the owner of the pool speaks another language')
  }
  const mac = macOf(socketKey, Buffer.from(nonce, 'hex'), request).toString('hex')
  return `${JSON.stringify({ mac, request })}\n`
}

/** @throws MaasError what the owner answered */
export function readReply(line: string): void {
  const { ok, error } = parseLine(line) as { ok?: unknown; error?: ErrorMessage }
  if (ok === true) return
  if (typeof error?.code === 'string') throw reviveError(error)
  throw new MaasError('POOL_BUSY', 'the owner of the pool did not answer')
}

/** Carries out one request. @returns the reply line; never throws for what came from outside */
export async function serveRequest(
  owner: PinOwner,
  { socketKey, nonce }: { socketKey: Buffer; nonce: Buffer },
  line: string,
): Promise<string> {
  try {
    const request = authenticate(socketKey, nonce, line)
    if (request.op === 'pin') await owner.pin(request.pin)
    else await owner.unpin(request.id)
    return `${JSON.stringify({ ok: true })}\n`
  } catch (error) {
    // The failure belongs to the asker; the owner's own work goes on.
    const { code, message, details } = errorToMessage(error)
    return `${JSON.stringify({ error: { code, message, details } })}\n`
  }
}

function authenticate(socketKey: Buffer, nonce: Buffer, line: string): OwnerRequest {
  const { mac, request } = parseLine(line) as { mac?: unknown; request?: OwnerRequest }
  const denied = new MaasError('POOL_PASSPHRASE_WRONG', 'the request is not signed for this pool')
  if (typeof mac !== 'string' || typeof request !== 'object' || request === null) throw denied
  const claimed = Buffer.from(mac, 'hex')
  const expected = macOf(socketKey, nonce, request)
  if (claimed.length !== expected.length || !timingSafeEqual(claimed, expected)) throw denied
  if (request.op !== 'pin' && request.op !== 'unpin') {
    throw new MaasError('USAGE', 'the owner does not know this request')
  }
  return request
}

function macOf(socketKey: Buffer, nonce: Buffer, request: OwnerRequest): Buffer {
  const text = Buffer.from(canonicalJson(request as unknown as Json))
  return Blake3Hasher.newKeyed(socketKey).update(nonce).update(text).digestBuffer()
}

function parseLine(line: string): object {
  try {
    const value: unknown = JSON.parse(line)
    if (typeof value === 'object' && value !== null) return value
  } catch (cause) {
    throw new MaasError('USAGE', 'a line on the owner socket is not JSON', {}, { cause })
  }
  throw new MaasError('USAGE', 'a line on the owner socket is no object')
}
