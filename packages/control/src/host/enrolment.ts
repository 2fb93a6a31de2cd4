/**
 * How a machine becomes a host: a join token, used once within the hour, buys a certificate for a
 * key that never leaves the machine. Renewal goes through the open channel: the old certificate
 * vouches for the new key.
 */
import { createHash } from 'node:crypto'
import type { Kysely } from 'kysely'
import { z } from 'zod'
import { makeControlId } from '@openmaas/api/ids'
import type { Clock } from '@openmaas/kernel/clock'
import { MaasError } from '@openmaas/kernel/errors'
import { makeLog } from '@openmaas/kernel/log'
import type { Random } from '@openmaas/kernel/random'
import { hostAbout } from '@openmaas/protocols/channel/frames'
import { appendAudit } from '../audit/audit-log.ts'
import type { Catalog } from '../catalog/catalog.ts'
import { appendEvent } from '../catalog/events.ts'
import type { CatalogTables } from '../catalog/schema.ts'
import type { CertificateAuthority, IssuedCertificate } from './ca.ts'
import {
  changeHost,
  chooseName,
  findHost,
  findWaiting,
  loadHost,
  parseLabels,
  revokeCertificates,
} from './host-repository.ts'
import type { Peer } from './host-registry.ts'
import type { HostKind, HostRow, JoinTokenRow, Labels } from './host-repository.ts'

const log = makeLog('openmaas:control:enrolment')

const TOKEN_PREFIX = 'mjt_'
export const JOIN_TOKEN_LIFETIME_MS = 3600_000
/** Tokens that ran out are kept so long for whoever looks into the past. */
const EXPIRED_KEPT_MS = 90 * 24 * 3600_000
/** A replayed token is worth a line in the audit log; a flood of them is not. */
const REFUSALS_AUDITED_EVERY_MS = 10_000
// oxlint-disable-next-line no-control-regex -- control characters are what it refuses
const PRINTABLE = /^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]+$/

/** The body of POST /join. */
export const joinRequest = z.object({
  token: z.string().max(128),
  csr: z.string().max(4096),
  name: z.string().min(1).max(128).regex(PRINTABLE),
  kind: z.enum(['agent', 'node']),
  software: z.string().max(64),
  about: hostAbout,
  wallMs: z.number().int().nonnegative(),
})
export type JoinRequest = z.infer<typeof joinRequest>

export interface JoinAnswer {
  readonly hostId: string
  readonly name: string
  readonly certificate: string
  readonly caCertificate: string
  readonly wallMs: number
}

export interface EnrolmentOptions {
  readonly catalog: Catalog
  readonly ca: CertificateAuthority
  readonly clock: Clock
  readonly random: Random
}

interface Joined {
  readonly request: JoinRequest
  readonly token: JoinTokenRow
  readonly hostId: string
  readonly issued: IssuedCertificate
  readonly address: string
}

export class Enrolment {
  readonly #options: EnrolmentOptions
  #auditedMs = -Infinity

  constructor(options: EnrolmentOptions) {
    this.#options = options
  }

  /** @returns the row, and the secret that is shown once and kept nowhere */
  async makeToken(
    trx: Kysely<CatalogTables>,
    wanted: {
      readonly kind: HostKind
      readonly labels: Labels
      readonly createdBy: string
      readonly lifetimeMs?: number
      /** Joins as this host, in place of its old machine or certificate. */
      readonly hostId?: string
    },
  ): Promise<{ readonly row: JoinTokenRow; readonly secret: string }> {
    const { clock, random } = this.#options
    const secret = TOKEN_PREFIX + random.bytes(32).toString('base64url')
    const createdAt = clock.wallMs()
    const row: JoinTokenRow = {
      id: makeControlId('joinToken', clock, random),
      hash: hashToken(secret),
      kind: wanted.kind,
      labelsJson: JSON.stringify(wanted.labels),
      createdBy: wanted.createdBy,
      createdAt,
      expiresAt: createdAt + (wanted.lifetimeMs ?? JOIN_TOKEN_LIFETIME_MS),
      usedAt: null,
      hostId: wanted.hostId ?? null,
    }
    const forgotten = createdAt - EXPIRED_KEPT_MS
    await trx.deleteFrom('joinToken').where('expiresAt', '<', forgotten).execute()
    await trx.insertInto('joinToken').values(row).execute()
    return { row, secret }
  }

  /** @throws MaasError JOIN_TOKEN_INVALID, CERTIFICATE_INVALID */
  async join(request: JoinRequest, address: string): Promise<JoinAnswer> {
    const { catalog, ca, clock, random } = this.#options
    try {
      // Looked at first, so that strangers cannot have us sign; used up in the transaction below.
      const token = await this.#findToken(catalog.db, request)
      const waiting = token.hostId === null ? await findWaiting(catalog.db, request) : undefined
      const hostId = token.hostId ?? waiting?.id ?? makeControlId('host', clock, random)
      const issued = await ca.issueHost({ csr: request.csr, hostId, kind: token.kind })
      const name = await catalog.transaction(async (trx) => {
        await this.#useToken(trx, token, hostId)
        return this.#admit(trx, { request, token, hostId, issued, address })
      })
      const { rootPem: caCertificate } = ca
      return { hostId, name, certificate: issued.pem, caCertificate, wallMs: clock.wallMs() }
    } catch (error) {
      await this.#auditRefusal(request, address, error)
      throw error
    }
  }

  /**
   * A certificate for a new key of a host whose old one is good still. Any others it has are worth
   * nothing from now on, so there are never more than two.
   *
   * @param peer who asks, with the serial of the certificate it has shown
   */
  async renew(
    { hostId, serial }: Pick<Peer, 'hostId' | 'serial'>,
    csr: string,
  ): Promise<IssuedCertificate> {
    const { catalog, ca, clock } = this.#options
    const { kind } = await loadHost(catalog.db, hostId)
    const issued = await ca.issueHost({ csr, hostId, kind })
    await catalog.transaction(async (trx) => {
      const host = await loadHost(trx, hostId)
      if (host.state === 'removed') {
        throw new MaasError('HOST_REMOVED', `${hostId} was removed`, { hostId })
      }
      await trx
        .deleteFrom('certificate')
        .where('hostId', '=', hostId)
        .where('serial', '!=', serial)
        .execute()
      await insertCertificate(trx, hostId, issued)
      const data = { notAfter: issued.notAfter }
      await changeHost(trx, { host, set: {}, event: 'host.certificate_renewed', data }, clock)
    })
    return issued
  }

  async #findToken(db: Kysely<CatalogTables>, request: JoinRequest): Promise<JoinTokenRow> {
    const row = await db
      .selectFrom('joinToken')
      .selectAll()
      .where('hash', '=', hashToken(request.token))
      .executeTakeFirst()
    const good =
      row !== undefined &&
      row.usedAt === null &&
      row.expiresAt > this.#options.clock.wallMs() &&
      row.kind === request.kind
    if (!good) throw tokenInvalid()
    return row
  }

  async #useToken(trx: Kysely<CatalogTables>, token: JoinTokenRow, hostId: string): Promise<void> {
    const usedAt = this.#options.clock.wallMs()
    const { numUpdatedRows } = await trx
      .updateTable('joinToken')
      .set({ usedAt, hostId })
      .where('id', '=', token.id)
      .where('usedAt', 'is', null)
      .where('expiresAt', '>', usedAt)
      .executeTakeFirst()
    if (numUpdatedRows !== 1n) throw tokenInvalid()
  }

  /** @returns the name by which people know the host from now on */
  async #admit(trx: Kysely<CatalogTables>, joined: Joined): Promise<string> {
    const { token, hostId, issued, address } = joined
    const { clock } = this.#options
    const known = await findHost(trx, hostId)
    const host = known ?? (await this.#insertHost(trx, joined))
    if (known !== undefined) await this.#replaceHost(trx, known, joined)
    await insertCertificate(trx, hostId, issued)
    const labels = parseLabels(host.labelsJson)
    const { name } = host
    const data = { name, kind: token.kind, address }
    const event = { topic: 'hosts', type: 'host.joined', subject: hostId, labels, data } as const
    await appendEvent(trx, event, clock)
    const { createdBy, id: joinTokenId } = token
    const again = known !== undefined
    const entry = {
      actor: `host:${hostId}`,
      address,
      action: 'host.join',
      object: hostId,
      labels,
      outcome: 'ok' as const,
      requestId: '',
      after: { name, kind: token.kind, joinTokenId, createdBy, again },
    }
    await appendAudit(trx, entry, clock)
    return name
  }

  async #insertHost(
    trx: Kysely<CatalogTables>,
    { request, token, hostId, issued }: Joined,
  ): Promise<CatalogTables['host']> {
    const createdAt = this.#options.clock.wallMs()
    const host: CatalogTables['host'] = {
      id: hostId,
      name: await chooseName(trx, request.name),
      kind: token.kind,
      labelsJson: token.labelsJson,
      state: 'pending',
      drained: 0,
      softwareVersion: request.software,
      aboutJson: JSON.stringify(request.about),
      dataAddress: null,
      certificateSerial: issued.serial,
      certificateNotAfter: issued.notAfter,
      lastSeenAt: null,
      clockSkewMs: request.wallMs - createdAt,
      createdAt,
      version: 1,
    }
    await trx.insertInto('host').values(host).execute()
    return host
  }

  /** Name, labels and sources stay; whatever certificate it had is worth nothing now. */
  async #replaceHost(
    trx: Kysely<CatalogTables>,
    host: HostRow,
    { request, token, issued }: Joined,
  ): Promise<void> {
    const { clock } = this.#options
    const named = token.hostId === host.id
    if (host.kind !== request.kind || (named && host.state === 'removed')) throw tokenInvalid()
    if (!named && host.certificateSerial !== null) {
      // The token is not used up: the next attempt becomes a host of its own.
      const message = `another machine has just joined as ${host.name}: try again`
      throw new MaasError('HOST_IN_USE', message, { hostId: host.id })
    }
    await revokeCertificates(trx, host.id, clock.wallMs())
    const set = {
      state: 'pending' as const,
      softwareVersion: request.software,
      aboutJson: JSON.stringify(request.about),
      certificateSerial: issued.serial,
      certificateNotAfter: issued.notAfter,
    }
    await changeHost(trx, { host, set, event: 'host.replaced' }, clock)
  }

  async #auditRefusal(request: JoinRequest, address: string, error: unknown): Promise<void> {
    const { catalog, clock } = this.#options
    log.warn('join refused', { address, name: request.name, error })
    const nowMs = clock.monotonicMs()
    if (nowMs - this.#auditedMs < REFUSALS_AUDITED_EVERY_MS) return
    this.#auditedMs = nowMs
    const entry = {
      actor: 'anonymous',
      address,
      action: 'host.join',
      object: request.name,
      outcome: 'refused' as const,
      requestId: '',
      reason: error instanceof MaasError ? error.code : 'INTERNAL',
    }
    await catalog.transaction((trx) => appendAudit(trx, entry, clock))
  }
}

async function insertCertificate(
  trx: Kysely<CatalogTables>,
  hostId: string,
  { serial, fingerprint, notAfter }: IssuedCertificate,
): Promise<void> {
  const row = { serial, hostId, fingerprint, notAfter, revokedAt: null }
  await trx.insertInto('certificate').values(row).execute()
}

/** 256 random bits need no slow hash. */
function hashToken(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}

/** The same for a wrong, a used and an expired one: a stranger learns nothing. */
function tokenInvalid(): MaasError {
  return new MaasError('JOIN_TOKEN_INVALID', 'the join token is wrong, used or expired')
}
