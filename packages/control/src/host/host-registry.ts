/**
 * Which hosts there are, who of them may talk to us, and who is there. A host that closes its
 * connection has 30 s to come back before it counts as offline; so do all hosts when the server
 * starts. What is here in memory is about connections of this process; the catalog has the rest.
 *
 *   pending ──first hello──▶ online ◀──▶ offline     any ──remove──▶ removed
 */
import type { X509Certificate } from 'node:crypto'
import type { Kysely } from 'kysely'
import { z } from 'zod'
import type { Clock } from '@openmaas/kernel/clock'
import { MaasError } from '@openmaas/kernel/errors'
import { makeLog } from '@openmaas/kernel/log'
import { CLOCK_SKEW_MAX_MS, LOST_AFTER_MS } from '@openmaas/protocols/channel/frames'
import type { Hello } from '@openmaas/protocols/channel/frames'
import type { Catalog } from '../catalog/catalog.ts'
import type { CatalogTables } from '../catalog/schema.ts'
import { fingerprintOf, hostIdOf, normalSerial } from './ca.ts'
import {
  changeHost,
  findCertificate,
  findHost,
  listDenied,
  loadHost,
  revokeCertificates,
  saveLastSeen,
} from './host-repository.ts'
import type { HostRow } from './host-repository.ts'

const log = makeLog('openmaas:control:hosts')

/** `lastSeenAt` of connected hosts is written so often; it is for people. */
const LAST_SEEN_EVERY_MS = 60_000
/** A removed host whose removal another process wrote is cut off within this. */
export const DENY_CHECK_EVERY_MS = 20_000

/** What `about` holds beside what is shown to people. */
const nodeAbout = z.object({
  nbdAddress: z.string().nullable().default(null),
  portFingerprint: z.string().nullable().default(null),
})

/** Coming and going is no change of the host. */
const KEEP = { keepVersion: true } as const

export interface Peer {
  readonly hostId: string
  readonly serial: string
  readonly notAfter: number
}

/** Where hosts reach a node, and how they know it; null while it has not said. */
export interface NodePlace {
  readonly dataAddress: string | null
  readonly nbdAddress: string | null
  readonly fingerprint: string | null
}

/** Told which host to cut off, and why. */
export type DeniedListener = (hostId: string, reason: MaasError) => void

interface Presence extends Peer {
  skewMs: number
  warned: boolean
}

export class HostRegistry {
  readonly #catalog: Catalog
  readonly #clock: Clock
  /** Connected hosts. */
  readonly #present = new Map<string, Presence>()
  /** Hosts that went away, and when (monotonic): not offline yet. */
  readonly #leaving = new Map<string, number>()
  /** In this process: always there. */
  readonly #embedded = new Set<string>()
  readonly #denied = new Set<DeniedListener>()
  #seenMs: number
  #deniedMs: number

  constructor(options: { readonly catalog: Catalog; readonly clock: Clock }) {
    this.#catalog = options.catalog
    this.#clock = options.clock
    this.#seenMs = options.clock.monotonicMs()
    this.#deniedMs = this.#seenMs
  }

  /**
   * Hosts that were online when the server ended have as long to come back as any.
   *
   * @returns them
   */
  async begin(): Promise<string[]> {
    const { db } = this.#catalog
    const rows = await db.selectFrom('host').select('id').where('state', '=', 'online').execute()
    const ids = rows.map(({ id }) => id).filter((id) => !this.#embedded.has(id))
    for (const id of ids) this.#leaving.set(id, this.#clock.monotonicMs())
    return ids
  }

  /** A role of this very process: here for as long as we are. */
  embed(hostId: string): void {
    this.#embedded.add(hostId)
    this.#leaving.delete(hostId)
  }

  /** Called with the host whose connections must end now. */
  onDenied(listener: DeniedListener): void {
    this.#denied.add(listener)
  }

  isPresent(hostId: string): boolean {
    return this.#present.has(hostId) || this.#embedded.has(hostId)
  }

  /**
   * Whether the bearer of this certificate may talk to us. The chain was verified by TLS already;
   * this is what TLS does not know.
   *
   * @throws MaasError CERTIFICATE_INVALID, HOST_REMOVED
   */
  async checkPeer(certificate: X509Certificate): Promise<Peer & { readonly host: HostRow }> {
    const hostId = hostIdOf(certificate)
    if (hostId === undefined) throw refused('it names no host')
    if (certificate.validToDate.getTime() <= this.#clock.wallMs()) throw refused('it has expired')
    const serial = normalSerial(certificate.serialNumber)
    const { db } = this.#catalog
    const [row, host] = [await findCertificate(db, serial), await findHost(db, hostId)]
    const known = row?.hostId === hostId && row.fingerprint === fingerprintOf(certificate.raw)
    if (!known || host === undefined) throw refused('it is not in the catalog')
    if (host.state === 'removed' || row.revokedAt !== null) {
      throw new MaasError('HOST_REMOVED', `the certificate of ${hostId} is revoked`, { hostId })
    }
    return { hostId, serial, notAfter: row.notAfter, host }
  }

  /** @throws MaasError HOST_NOT_FOUND */
  async placeOf(nodeId: string): Promise<NodePlace> {
    const { db } = this.#catalog
    const { dataAddress, aboutJson, certificateSerial } = await loadHost(db, nodeId)
    const { nbdAddress, portFingerprint } = nodeAbout.parse(JSON.parse(aboutJson))
    if (portFingerprint !== null) return { dataAddress, nbdAddress, fingerprint: portFingerprint }
    const row =
      certificateSerial === null ? undefined : await findCertificate(db, certificateSerial)
    return { dataAddress, nbdAddress, fingerprint: row?.fingerprint ?? null }
  }

  /** A host said hello and is welcome. */
  async connect(peer: Peer, hello: Hello, skewMs: number): Promise<HostRow> {
    const { hostId, serial, notAfter } = peer
    const { nbdAddress, portFingerprint } = hello
    const row = await this.#catalog.transaction(async (trx) => {
      const host = await loadHost(trx, hostId)
      // It may have been replaced or removed since it shook hands.
      const certificate = await findCertificate(trx, serial)
      if (host.state === 'removed' || certificate?.revokedAt !== null) {
        throw new MaasError('HOST_REMOVED', `${hostId} was removed`, { hostId })
      }
      if (host.kind !== hello.role) {
        throw new MaasError('CERTIFICATE_INVALID', `${hostId} joined as ${host.kind}`, { hostId })
      }
      const set: Partial<HostRow> = {
        state: 'online',
        softwareVersion: hello.software,
        aboutJson: JSON.stringify({ ...hello.about, nbdAddress, portFingerprint }),
        dataAddress: hello.dataAddress,
        // The one in use; after a renewal the host connects anew to show it.
        certificateSerial: serial,
        certificateNotAfter: peer.notAfter,
        lastSeenAt: this.#clock.wallMs(),
        clockSkewMs: skewMs,
      }
      const data = { software: hello.software, skewMs }
      return changeHost(trx, { host, set, event: 'host.online', data, ...KEEP }, this.#clock)
    })
    this.#leaving.delete(hostId)
    this.#present.set(hostId, { hostId, serial, notAfter, skewMs, warned: false })
    await this.#warnOfSkew(hostId, skewMs)
    return row
  }

  disconnect(hostId: string): void {
    if (this.#present.delete(hostId)) this.#leaving.set(hostId, this.#clock.monotonicMs())
  }

  /** A heartbeat came back. */
  async alive(hostId: string, skewMs: number): Promise<void> {
    const presence = this.#present.get(hostId)
    if (presence === undefined) return
    presence.skewMs = skewMs
    await this.#warnOfSkew(hostId, skewMs)
  }

  /** Once per connection: more would only repeat it. */
  async #warnOfSkew(hostId: string, skewMs: number): Promise<void> {
    const presence = this.#present.get(hostId)
    const wrong = Math.abs(skewMs) > CLOCK_SKEW_MAX_MS
    if (presence === undefined || presence.warned === wrong) return
    presence.warned = wrong
    const event = wrong ? 'host.clock_wrong' : 'host.clock_right'
    if (wrong) log.warn('clock of a host is wrong', { hostId, skewMs })
    await this.#catalog.transaction(async (trx) => {
      const host = await loadHost(trx, hostId)
      const change = { host, set: { clockSkewMs: skewMs }, event, data: { skewMs }, ...KEEP }
      await changeHost(trx, change, this.#clock)
    })
  }

  /** Once a second: who is offline, who was seen, who is denied. */
  async tick(): Promise<void> {
    const nowMs = this.#clock.monotonicMs()
    for (const [hostId, sinceMs] of this.#leaving) {
      if (nowMs - sinceMs >= LOST_AFTER_MS) await this.#goOffline(hostId)
    }
    const ids = [...this.#present.keys(), ...this.#embedded]
    if (nowMs - this.#seenMs >= LAST_SEEN_EVERY_MS && ids.length > 0) {
      this.#seenMs = nowMs
      const at = this.#clock.wallMs()
      await this.#catalog.transaction((trx) => saveLastSeen(trx, ids, at))
    }
    if (nowMs - this.#deniedMs >= DENY_CHECK_EVERY_MS) {
      this.#deniedMs = nowMs
      await this.#cutOffDenied()
    }
  }

  async #cutOffDenied(): Promise<void> {
    const peers = [...this.#present.values()]
    const removed = await listDenied(this.#catalog.db, peers)
    for (const hostId of removed) this.cutOff(hostId)
    const nowMs = this.#clock.wallMs()
    for (const { hostId, notAfter } of peers) {
      if (notAfter <= nowMs && !removed.has(hostId)) {
        this.#cutOff(hostId, refused('it has expired, and was not renewed'))
      }
    }
  }

  async #goOffline(hostId: string): Promise<void> {
    await this.#catalog.transaction(async (trx) => {
      const host = await findHost(trx, hostId)
      if (host?.state !== 'online' || !this.#leaving.has(hostId)) return
      const change = { host, set: { state: 'offline' as const }, event: 'host.offline', ...KEEP }
      await changeHost(trx, change, this.#clock)
    })
    this.#leaving.delete(hostId)
  }

  async drain(trx: Kysely<CatalogTables>, hostId: string, drained: boolean): Promise<HostRow> {
    const host = await loadHost(trx, hostId)
    if (host.state === 'removed') {
      throw new MaasError('HOST_REMOVED', `${hostId} was removed`, { hostId })
    }
    if ((host.drained === 1) === drained) return host
    const event = drained ? 'host.drained' : 'host.undrained'
    return changeHost(trx, { host, set: { drained: drained ? 1 : 0 }, event }, this.#clock)
  }

  /**
   * Its certificates end, and with `cutOff` after the commit its connections. What it captured
   * stays.
   *
   * @throws MaasError HOST_IN_USE for one that holds pools or media, or is embedded
   */
  async remove(trx: Kysely<CatalogTables>, hostId: string): Promise<HostRow> {
    const host = await loadHost(trx, hostId)
    if (host.state === 'removed') return host
    if (this.#embedded.has(hostId)) {
      throw new MaasError('HOST_IN_USE', `${host.name} is this server itself`, { id: hostId })
    }
    await checkUnused(trx, host)
    await revokeCertificates(trx, hostId, this.#clock.wallMs())
    const change = { host, set: { state: 'removed' as const }, event: 'host.removed' }
    return changeHost(trx, change, this.#clock)
  }

  /** Call it when the transaction of `remove` has been committed. */
  cutOff(hostId: string): void {
    this.#leaving.delete(hostId)
    this.#cutOff(hostId, new MaasError('HOST_REMOVED', `${hostId} was removed`, { hostId }))
  }

  #cutOff(hostId: string, reason: MaasError): void {
    log.info('a host is cut off', { hostId, error: reason })
    for (const listener of this.#denied) listener(hostId, reason)
  }
}

async function checkUnused(trx: Kysely<CatalogTables>, host: HostRow): Promise<void> {
  const { id } = host
  const pool = await trx.selectFrom('pool').select('id').where('nodeId', '=', id).executeTakeFirst()
  if (pool !== undefined) {
    const message = `${host.name} holds pool ${pool.id}`
    throw new MaasError('HOST_IN_USE', message, { id, poolId: pool.id })
  }
  const medium = await trx
    .selectFrom('medium')
    .select('id')
    .where((eb) => eb.or([eb('nodeId', '=', id), eb('hostId', '=', id)]))
    .where('state', 'in', ['plugging', 'plugged', 'ejecting'])
    .executeTakeFirst()
  if (medium === undefined) return
  const message = `${host.name} has medium ${medium.id}`
  throw new MaasError('HOST_IN_USE', message, { id, mediumId: medium.id })
}

function refused(reason: string): MaasError {
  return new MaasError('CERTIFICATE_INVALID', `the certificate is refused: ${reason}`)
}
