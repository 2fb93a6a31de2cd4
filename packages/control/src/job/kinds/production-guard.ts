/**
 * Nothing is started in production's place while production answers: two that take the same
 * orders are worse than none.
 */
import { z } from 'zod'
import { isMaasError, MaasError } from '@openmaas/kernel/errors'
import { connectionOf, loadSourceDatabase } from '../../database/source-database.ts'
import type { VirtualDatabaseRow } from '../../virtual-database/rows.ts'
import type { StepContext } from '../definition.ts'
import type { KindServices } from './services.ts'

/** A firewall that says nothing is taken for nobody after this; the plug-in gives up earlier. */
const LOOK_TIMEOUT_MS = 60_000
/** A server that is starting up or shutting down refuses with one of its codes: it is there. */
const answered = z.object({ sqlstate: z.string().regex(/^[0-9A-Z]{5}$/) })

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
  const options = { key, timeoutMs: LOOK_TIMEOUT_MS, signal: context.signal }
  try {
    await context.orders.order(hostId, 'database.check', { engine, connection }, options)
  } catch (error) {
    if (!isMaasError(error)) throw error
    const { code, details } = error
    if (code === 'DATABASE_UNREACHABLE' && !answered.safeParse(details).success) return
    if (!code.startsWith('DATABASE_')) throw error
  }
  const { host, port } = connection
  const message = `production answers at ${host}:${port}: stop it first`
  throw new MaasError('PRODUCTION_ANSWERS', message, { host, port })
}
