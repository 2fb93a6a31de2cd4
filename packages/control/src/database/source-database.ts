/** What a source of a database has beside its row: the way to production, and its standby. */
import type { Selectable, Updateable } from 'kysely'
import {
  type DatabaseProtection,
  type DatabaseProtectionChange,
  databaseConnectionShown,
  sqlAssertions,
  type StandbyStatus,
} from '@openmaas/api/resources/database'
import type { Source } from '@openmaas/api/resources/source'
import { MaasError } from '@openmaas/kernel/errors'
import { formatBytes } from '@openmaas/kernel/units'
import {
  type DatabaseConnection,
  databaseStatus,
  type DatabaseStatus,
} from '@openmaas/protocols/channel/database-orders'
import { deleteSecret, saveSecret } from '../auth/secret-repository.ts'
import type { SecretSealer } from '../auth/secret-vault.ts'
import type { CatalogTables } from '../catalog/schema.ts'
import { objectOf, timeOrNull } from '../http/columns.ts'
import { requestInvalid } from '../http/handler.ts'
import type { Db, HandlerContext, Trx } from '../http/handler-context.ts'

export type SourceDatabaseRow = Selectable<CatalogTables['sourceDatabase']>
export type SealingContext = Pick<HandlerContext, 'clock' | 'random'> & {
  readonly sealer: SecretSealer
}
/** As it is kept: the password is in the vault. */
const keptConnection = databaseConnectionShown.omit({ hasPassword: true })

/** @throws MaasError SOURCE_NOT_DATABASE */
export async function loadSourceDatabase(db: Db, sourceId: string): Promise<SourceDatabaseRow> {
  const row = await findSourceDatabase(db, sourceId)
  if (row !== undefined) return row
  throw new MaasError('SOURCE_NOT_DATABASE', 'the source is no database', { sourceId })
}

export function findSourceDatabase(
  db: Db,
  sourceId: string,
): Promise<SourceDatabaseRow | undefined> {
  return db
    .selectFrom('sourceDatabase')
    .selectAll()
    .where('sourceId', '=', sourceId)
    .executeTakeFirst()
}

/** How a source of a database is called in lists: the place of production. */
export function placeText({ host, port }: { readonly host: string; readonly port: number }) {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

export async function insertSourceDatabase(
  trx: Trx,
  context: SealingContext,
  of: { readonly sourceId: string; readonly protection: DatabaseProtection },
): Promise<void> {
  const { connection, synchronous, assertions, ...plain } = of.protection
  const { password, ...kept } = connection
  await trx
    .insertInto('sourceDatabase')
    .values({
      ...plain,
      sourceId: of.sourceId,
      connectionJson: JSON.stringify(kept),
      secretId: await sealPassword(trx, context, of.sourceId, password),
      synchronous: synchronous ? 1 : 0,
      assertionsJson: JSON.stringify(assertions),
      engineVersion: '',
      identity: '',
      mediumId: null,
      seededAt: null,
      statusJson: null,
      statusAt: null,
    })
    .execute()
}

/** @returns the place of production from now on, and what its volume shall grow to */
export async function changeSourceDatabase(
  trx: Trx,
  context: SealingContext,
  of: { readonly sourceId: string; readonly change: DatabaseProtectionChange },
): Promise<{ readonly path: string; readonly growTo: number | null }> {
  const row = await loadSourceDatabase(trx, of.sourceId)
  const { connection = {}, synchronous, assertions, volumeBytes, ...plain } = of.change
  const { password, ...changes } = connection
  if (volumeBytes !== undefined && volumeBytes < (row.volumeBytes ?? 0)) {
    const message = `a volume only grows: it has ${formatBytes(row.volumeBytes ?? 0)}`
    throw requestInvalid('/database/volumeBytes', message)
  }
  // One that exists is as large as its row says once the job has made it so.
  const exists = row.mediumId !== null
  const growTo = exists && (volumeBytes ?? 0) > (row.volumeBytes ?? 0) ? volumeBytes! : null
  const before = keptConnection.parse(objectOf(row.connectionJson))
  const kept = keptConnection.parse({ ...before, ...definedOf(changes) })
  const next: Updateable<CatalogTables['sourceDatabase']> = {
    ...definedOf(plain),
    ...(!exists && volumeBytes !== undefined && { volumeBytes }),
    connectionJson: JSON.stringify(kept),
    ...(synchronous !== undefined && { synchronous: synchronous ? 1 : 0 }),
    ...(assertions !== undefined && { assertionsJson: JSON.stringify(assertions) }),
  }
  if (password !== undefined) {
    next.secretId = await sealPassword(trx, context, of.sourceId, password)
    if (row.secretId !== null) await deleteSecret(trx, row.secretId)
  }
  await trx.updateTable('sourceDatabase').set(next).where('sourceId', '=', of.sourceId).execute()
  return { path: placeText(kept), growTo }
}

export async function deleteSourceDatabase(trx: Trx, sourceId: string): Promise<void> {
  const row = await findSourceDatabase(trx, sourceId)
  if (row === undefined) return
  await trx.deleteFrom('sourceDatabase').where('sourceId', '=', sourceId).execute()
  if (row.secretId !== null) await deleteSecret(trx, row.secretId)
}

async function sealPassword(
  trx: Trx,
  context: SealingContext,
  sourceId: string,
  password: string | null,
): Promise<string | null> {
  if (password === null) return null
  return saveSecret(trx, context, { name: `password of ${sourceId}`, plain: password })
}

const definedOf = <T extends object>(changes: T): { [K in keyof T]?: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined)) as never

/** As orders take it. @param openSecret of the vault's opening half */
export async function connectionOf(
  row: SourceDatabaseRow,
  openSecret: (secretId: string) => Promise<string>,
): Promise<DatabaseConnection> {
  const kept = keptConnection.parse(objectOf(row.connectionJson))
  const password = row.secretId === null ? null : await openSecret(row.secretId)
  return { ...kept, password }
}

export function standbyHostOf(
  row: Pick<SourceDatabaseRow, 'stagingHostId'>,
  source: { readonly hostId: string },
): string {
  return row.stagingHostId ?? source.hostId
}

export function statusOf(row: SourceDatabaseRow): DatabaseStatus | null {
  if (row.statusJson === null) return null
  const parsed = databaseStatus.safeParse(JSON.parse(row.statusJson))
  return parsed.success ? parsed.data : null
}

/** @param full false for one who may only make virtual databases of it */
export function showDatabase(
  row: SourceDatabaseRow,
  source: { readonly hostId: string },
  full: boolean,
): NonNullable<Source['database']> {
  const { stagingHostId, volumeBytes, volumeMaxBytes, retainedLimitBytes, selfService } = row
  const { engineVersion, identity, mediumId } = row
  const kept = keptConnection.parse(objectOf(row.connectionJson))
  return {
    stagingHostId,
    volumeBytes,
    volumeMaxBytes,
    retainedLimitBytes,
    selfService,
    engineVersion,
    identity,
    mediumId,
    synchronous: row.synchronous === 1,
    assertions: full ? assertionsOf(row) : [],
    connection: full ? { ...kept, hasPassword: row.secretId !== null } : null,
    standbyHostId: standbyHostOf(row, source),
    status: showStatus(row),
  }
}

/** What is asked of each point that is verified. */
export const assertionsOf = (row: Pick<SourceDatabaseRow, 'assertionsJson'>) =>
  sqlAssertions.parse(JSON.parse(row.assertionsJson))

function showStatus(row: SourceDatabaseRow): StandbyStatus {
  const status = statusOf(row)
  return {
    state: status?.state ?? (row.seededAt === null ? 'new' : 'stopped'),
    reason: status?.reason ?? '',
    mustReseed: status?.mustReseed ?? false,
    received: status?.received?.position ?? null,
    lagBytes: status?.lagBytes ?? null,
    lagMs: status?.lagMs ?? null,
    retainedBytes: status?.retainedBytes ?? null,
    logBytes: status?.logBytes ?? null,
    volume: status?.volume ?? null,
    at: timeOrNull(row.statusAt),
  }
}

export async function saveStatus(
  trx: Db,
  sourceId: string,
  status: DatabaseStatus,
  at: number,
): Promise<void> {
  await trx
    .updateTable('sourceDatabase')
    .set({ statusJson: JSON.stringify(status), statusAt: at })
    .where('sourceId', '=', sourceId)
    .execute()
}
