/** What a virtual database has to be for what is asked of it. */
import { MaasError } from '@openmaas/kernel/errors'
import type { VirtualDatabaseRow } from './rows.ts'

/** @throws MaasError VIRTUAL_DATABASE_BUSY */
export function requireState(
  row: VirtualDatabaseRow,
  from: readonly VirtualDatabaseRow['state'][],
): void {
  if (from.includes(row.state)) return
  const details = { virtualDatabaseId: row.id, state: row.state }
  throw new MaasError('VIRTUAL_DATABASE_BUSY', `it is ${row.state}`, details)
}

/** @throws MaasError VIRTUAL_DATABASE_PROMOTED: what needs a clone is no longer possible */
export function requireClone({ id, directory }: VirtualDatabaseRow): void {
  if (directory === null) return
  const message = `it stands on ${directory}, and on no clone`
  throw new MaasError('VIRTUAL_DATABASE_PROMOTED', message, { virtualDatabaseId: id, directory })
}

/**
 * Of what puts another clone in its place, and of what ends it by itself.
 *
 * @throws MaasError VIRTUAL_DATABASE_PROMOTED; VIRTUAL_DATABASE_IS_PRODUCTION: what was written to
 *   it is nowhere else
 */
export function requireReplaceable(row: VirtualDatabaseRow): void {
  requireClone(row)
  if (row.mode !== 'production') return
  const details = { virtualDatabaseId: row.id }
  throw new MaasError('VIRTUAL_DATABASE_IS_PRODUCTION', "it stands in production's place", details)
}

/** @throws MaasError VIRTUAL_DATABASE_FOLLOWS: it has no state of its own */
export function requireOwnLife({ id, liveSync }: VirtualDatabaseRow): void {
  if (liveSync === 0) return
  const details = { virtualDatabaseId: id }
  throw new MaasError('VIRTUAL_DATABASE_FOLLOWS', 'it follows production', details)
}
