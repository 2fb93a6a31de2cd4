/** What is started in production's place waits for its silence: asked again by the job itself. */
import { requireSilence as requireSilenceOf } from '../../database/look.ts'
import { connectionOf, loadSourceDatabase } from '../../database/source-database.ts'
import type { VirtualDatabaseRow } from '../../virtual-database/rows.ts'
import type { StepContext } from '../definition.ts'
import type { KindServices } from './services.ts'

/** @throws MaasError PRODUCTION_ANSWERS */
export async function requireSilence(
  services: KindServices,
  context: StepContext<unknown, unknown>,
  row: Pick<VirtualDatabaseRow, 'mode' | 'sourceId' | 'hostId' | 'engine'>,
): Promise<void> {
  if (row.mode !== 'production') return
  const { sourceId, hostId, engine } = row
  const source = await loadSourceDatabase(context.catalog.db, sourceId)
  const connection = await connectionOf(source, (secretId) => services.openSecret(secretId))
  const key = context.key(`silence:${context.clock.wallMs()}`)
  const { signal } = context
  await requireSilenceOf(context.orders, { hostId, engine, connection, key, signal })
}
