/** Asking production, through the host that runs what is made of it, before anything is done. */
import { z } from 'zod'
import { isMaasError, MaasError } from '@openmaas/kernel/errors'
import type { DatabaseConnection } from '@openmaas/protocols/channel/database-orders'
import type { OrderGiver, Result } from '@openmaas/protocols/channel/orders'

/** A firewall that says nothing is taken for nobody after this; the plug-in gives up earlier. */
export const LOOK_TIMEOUT_MS = 60_000
/** A server that is starting up or shutting down refuses with one of its codes: it is there. */
const answered = z.object({ sqlstate: z.string().regex(/^[0-9A-Z]{5}$/) })

export interface Look {
  /** That asks. */
  readonly hostId: string
  readonly engine: string
  readonly connection: DatabaseConnection
  readonly key: string
  readonly signal: AbortSignal
}

export function lookAtProduction(
  orders: OrderGiver,
  { hostId, engine, connection, key, signal }: Look,
): Promise<Result<'database.check'>> {
  const options = { key, timeoutMs: LOOK_TIMEOUT_MS, signal }
  return orders.order(hostId, 'database.check', { engine, connection }, options)
}

/** @throws MaasError DATABASE_UNFIT, with what to run for each thing that is missing */
export function requireFit({ checks }: Pick<Result<'database.check'>, 'checks'>): void {
  const missing = checks.filter(({ ok }) => !ok)
  if (missing.length === 0) return
  const remedies = missing.map(({ name, message, remedy }) =>
    `${name}: ${message} ${remedy}`.trim(),
  )
  const message = `the database cannot be protected yet: ${missing[0]!.message}`
  throw new MaasError('DATABASE_UNFIT', message, { checks: remedies })
}

/**
 * Nothing is started in production's place while production answers: two that take the same
 * orders are worse than none.
 *
 * @throws MaasError PRODUCTION_ANSWERS, or what kept the host from asking
 */
export async function requireSilence(orders: OrderGiver, look: Look): Promise<void> {
  try {
    await lookAtProduction(orders, look)
  } catch (error) {
    if (!isMaasError(error)) throw error
    const { code, details } = error
    if (code === 'DATABASE_UNREACHABLE' && !answered.safeParse(details).success) return
    if (!code.startsWith('DATABASE_')) throw error
  }
  const { host, port } = look.connection
  const message = `production answers at ${host}:${port}: stop it first`
  throw new MaasError('PRODUCTION_ANSWERS', message, { host, port })
}
