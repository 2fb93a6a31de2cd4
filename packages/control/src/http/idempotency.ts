/**
 * Requests with an Idempotency-Key: done once per key and caller within a day. The row is
 * there before the work begins, so of two at once one is refused. docs/internals/http.md.
 */
import { createHmac } from 'node:crypto'
import { z } from 'zod'
import type { Clock } from '@openmaas/kernel/clock'
import { MaasError } from '@openmaas/kernel/errors'
import type { Catalog } from '../catalog/catalog.ts'

export const IDEMPOTENCY_KEPT_MS = 24 * 3_600_000
/** No request of ours takes longer: whoever began it is gone, and its outcome unknown. */
export const IDEMPOTENCY_PENDING_MS = 10 * 60_000
/** Larger answers are made again rather than kept. */
const BODY_LENGTH_MAX = 256 * 1024
export const KEY_LENGTH_MAX = 255

export interface KeyedRequest {
  readonly key: string
  readonly actor: string
  readonly route: string
  /** Path with ids, query and body: what makes two requests the same. */
  readonly content: string
}

export interface KeptAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** Null: there was none, or it held a secret. */
  readonly body: string | null
}

const headersSchema = z.record(z.string(), z.string())
const SPENT = 'x-openmaas-secret'

export class IdempotencyStore {
  readonly #catalog: Catalog
  readonly #clock: Clock
  readonly #hashKey: Uint8Array

  constructor(catalog: Catalog, clock: Clock, hashKey: Uint8Array) {
    this.#catalog = catalog
    this.#clock = clock
    this.#hashKey = hashKey
  }

  /**
   * @returns the answer of the first such request, or undefined: this is the first, and `end` or
   *   `forget` must follow
   * @throws MaasError IDEMPOTENCY_MISMATCH, IDEMPOTENCY_PENDING, IDEMPOTENCY_SPENT
   */
  begin(request: KeyedRequest): Promise<KeptAnswer | undefined> {
    const requestHash = this.#hash(request.content)
    return this.#catalog.transaction(async (trx) => {
      const now = this.#clock.wallMs()
      const { key, actor, route } = request
      const place = { key, actor }
      const row = await trx
        .selectFrom('idempotency')
        .selectAll()
        .where((e) => e.and(place))
        .executeTakeFirst()
      if (row !== undefined && isLive(row, now)) {
        if (row.route !== route || row.requestHash !== requestHash) {
          throw new MaasError('IDEMPOTENCY_MISMATCH', 'the key belongs to another request')
        }
        return answerOf(row)
      }
      if (row !== undefined) {
        await trx
          .deleteFrom('idempotency')
          .where((e) => e.and(place))
          .execute()
      }
      const fresh = { ...place, route, requestHash, status: null, headersJson: null, body: null }
      await trx
        .insertInto('idempotency')
        .values({ ...fresh, createdAt: now })
        .execute()
      return undefined
    })
  }

  /** @param secret the answer holds something that is shown once: it is not kept */
  async end(request: KeyedRequest, answer: KeptAnswer, secret: boolean): Promise<void> {
    if ((answer.body?.length ?? 0) > BODY_LENGTH_MAX) return this.forget(request)
    const headers = secret ? { [SPENT]: '1' } : answer.headers
    const { key, actor } = request
    await this.#catalog.db
      .updateTable('idempotency')
      .set({
        status: answer.status,
        headersJson: JSON.stringify(headers),
        body: secret ? null : answer.body,
      })
      .where((e) => e.and({ key, actor }))
      .execute()
  }

  /** It failed and changed nothing: the key may be used again. */
  async forget(request: KeyedRequest): Promise<void> {
    const { key, actor } = request
    await this.#catalog.db
      .deleteFrom('idempotency')
      .where((e) => e.and({ key, actor }))
      .execute()
  }

  /** Removes what is older than a day. */
  async sweep(): Promise<void> {
    const before = this.#clock.wallMs() - IDEMPOTENCY_KEPT_MS
    await this.#catalog.db.deleteFrom('idempotency').where('createdAt', '<', before).execute()
  }

  #hash(content: string): string {
    // Keyed: a body may hold a password, and must not be guessed from its hash.
    return createHmac('sha256', this.#hashKey).update(content).digest('base64url')
  }
}

interface Row {
  readonly status: number | null
  readonly headersJson: string | null
  readonly body: string | null
  readonly createdAt: number
}

function isLive(row: Row, now: number): boolean {
  const kept = row.status === null ? IDEMPOTENCY_PENDING_MS : IDEMPOTENCY_KEPT_MS
  return now - row.createdAt < kept
}

function answerOf(row: Row): KeptAnswer {
  if (row.status === null) {
    throw new MaasError('IDEMPOTENCY_PENDING', 'the first request with this key is on its way')
  }
  const headers = headersSchema.parse(JSON.parse(row.headersJson ?? '{}'))
  if (SPENT in headers) {
    throw new MaasError('IDEMPOTENCY_SPENT', 'it was done already, and its secret was shown')
  }
  return { status: row.status, headers, body: row.body }
}
