/** Rows of hosts and their certificates. Functions take a transaction or the catalog. */
import type { Kysely, Selectable } from 'kysely'
import { z } from 'zod'
import { MaasError } from '@openmaas/kernel/errors'
import type { Clock } from '@openmaas/kernel/clock'
import { hostAbout } from '@openmaas/protocols/channel/frames'
import type { HostAbout } from '@openmaas/protocols/channel/frames'
import { appendEvent } from '../catalog/events.ts'
import type { CatalogTables } from '../catalog/schema.ts'

type Db = Kysely<CatalogTables>
export type HostRow = Selectable<CatalogTables['host']>
export type HostKind = HostRow['kind']
export type JoinTokenRow = Selectable<CatalogTables['joinToken']>
export type CertificateRow = Selectable<CatalogTables['certificate']>
export type Labels = Readonly<Record<string, string>>

const labelsSchema = z.record(z.string(), z.string())

export function parseLabels(json: string): Record<string, string> {
  return labelsSchema.parse(JSON.parse(json))
}

export function parseAbout(json: string): HostAbout {
  return hostAbout.parse(JSON.parse(json))
}

/** @throws MaasError HOST_NOT_FOUND */
export async function loadHost(db: Db, id: string): Promise<HostRow> {
  const row = await findHost(db, id)
  if (row === undefined) throw new MaasError('HOST_NOT_FOUND', `no host ${id}`, { id })
  return row
}

export function findHost(db: Db, id: string): Promise<HostRow | undefined> {
  return db.selectFrom('host').selectAll().where('id', '=', id).executeTakeFirst()
}

/**
 * A host that a rebuilt catalog knows from the tags of points only: without a certificate, so
 * nobody speaks for it. Whoever joins under its name takes its place, and its sources go on.
 */
export function findWaiting(
  db: Db,
  { kind, name }: { readonly kind: HostKind; readonly name: string },
): Promise<HostRow | undefined> {
  return db
    .selectFrom('host')
    .selectAll()
    .where('name', '=', name)
    .where('kind', '=', kind)
    .where('state', '=', 'pending')
    .where('certificateSerial', 'is', null)
    .orderBy('id')
    .executeTakeFirst()
}

/** Changes fields, counts the version up, and tells about it, all in one transaction. */
export async function changeHost(
  trx: Db,
  change: {
    readonly host: HostRow
    readonly set: Partial<HostRow>
    /** `host.online`, `host.drained`, … */
    readonly event: string
    readonly data?: Readonly<Record<string, unknown>>
    /** Nobody changed anything, so whoever edits the host meanwhile is not told he is late. */
    readonly keepVersion?: boolean
  },
  clock: Clock,
): Promise<HostRow> {
  const { host, set, event, data = {}, keepVersion = false } = change
  const next: HostRow = { ...host, ...set, version: host.version + (keepVersion ? 0 : 1) }
  await trx
    .updateTable('host')
    .set({ ...set, version: next.version })
    .where('id', '=', host.id)
    .execute()
  const { id: subject, name } = host
  const labels = parseLabels(next.labelsJson)
  const about = { topic: 'hosts' as const, type: event, subject, labels, data: { name, ...data } }
  await appendEvent(trx, about, clock)
  return next
}

/** A name that no host in use has: the wanted one, else with a number behind. */
export async function chooseName(trx: Db, wanted: string): Promise<string> {
  for (let number = 1; ; number += 1) {
    const name = number === 1 ? wanted : `${wanted}-${number}`
    const taken = await trx
      .selectFrom('host')
      .select('id')
      .where('name', '=', name)
      .where('state', '!=', 'removed')
      .executeTakeFirst()
    if (taken === undefined) return name
  }
}

export function findCertificate(db: Db, serial: string): Promise<CertificateRow | undefined> {
  return db.selectFrom('certificate').selectAll().where('serial', '=', serial).executeTakeFirst()
}

/** Every certificate of that host is worth nothing from now on. */
export async function revokeCertificates(trx: Db, hostId: string, at: number): Promise<void> {
  await trx
    .updateTable('certificate')
    .set({ revokedAt: at })
    .where('hostId', '=', hostId)
    .where('revokedAt', 'is', null)
    .execute()
}

/** Of these hosts, those that are removed or have no certificate left that is good. */
export async function listDenied(
  db: Db,
  peers: readonly { readonly hostId: string; readonly serial: string }[],
): Promise<Set<string>> {
  const denied = new Set<string>()
  // SQLite takes 32,766 parameters; a page of 500 leaves room and keeps statements small.
  for (let from = 0; from < peers.length; from += 500) {
    const page = peers.slice(from, from + 500)
    const good = await db
      .selectFrom('certificate')
      .innerJoin('host', 'host.id', 'certificate.hostId')
      .select(['certificate.serial', 'certificate.hostId'])
      .where(
        'certificate.serial',
        'in',
        page.map(({ serial }) => serial),
      )
      .where('certificate.revokedAt', 'is', null)
      .where('host.state', '!=', 'removed')
      .execute()
    const fine = new Set(good.map(({ serial, hostId }) => `${hostId} ${serial}`))
    for (const { hostId, serial } of page) {
      if (!fine.has(`${hostId} ${serial}`)) denied.add(hostId)
    }
  }
  return denied
}

export async function saveLastSeen(trx: Db, ids: readonly string[], at: number): Promise<void> {
  for (let from = 0; from < ids.length; from += 500) {
    const page = ids.slice(from, from + 500)
    await trx.updateTable('host').set({ lastSeenAt: at }).where('id', 'in', page).execute()
  }
}
