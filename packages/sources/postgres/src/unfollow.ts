/** Ends the standby; with `forget`, production keeps nothing for it either. */
import { setTimeout as delay } from 'node:timers/promises'
import { MaasError } from '@openmaas/kernel/errors'
import type {
  DatabaseConnection,
  DatabaseParams,
  DatabaseResult,
} from '@openmaas/protocols/channel/database-orders'
import { removeRun } from '@openmaas/source-kit/layout'
import { stopServer } from '@openmaas/source-kit/server-process'
import { withConnection } from './connection.ts'
import { placeOf, type PostgresOptions, slotName } from './place.ts'
import { dropSlot, readSlot } from './slot.ts'
import { STOP_MS } from './standby.ts'

/** The sender on production notices within a moment that its standby is gone. */
const RELEASE_MS = 30_000
const POLL_MS = 100

export async function unfollow(
  params: DatabaseParams<'database.unfollow'>,
  options: PostgresOptions,
): Promise<DatabaseResult<'database.unfollow'>> {
  const place = placeOf(params, options)
  await stopServer(place.server, { signal: 'SIGINT', timeoutMs: STOP_MS })
  removeRun(place.layout)
  if (!params.forget) return {}
  if (params.connection === null) {
    const message = 'production is to forget the standby, and no connection to it was given'
    throw new MaasError('ORDER_INVALID', message, { id: params.id })
  }
  const name = slotName(params.id)
  try {
    await dropAtProduction(params.connection, name)
  } catch (error) {
    if (!(error instanceof MaasError)) throw error
    // Whoever gives it up tells what is left, and how it goes.
    const remedy = `SELECT pg_drop_replication_slot('${name}');`
    const details = { ...error.details, left: `replication slot ${name}`, remedy }
    throw new MaasError(error.code, error.message, details, { cause: error })
  }
  return {}
}

async function dropAtProduction(connection: DatabaseConnection, name: string): Promise<void> {
  await withConnection(connection, async (production) => {
    const deadline = performance.now() + RELEASE_MS
    while ((await readSlot(production, name)) !== null && !(await dropSlot(production, name))) {
      if (performance.now() > deadline) {
        const message = `the replication slot ${name} is still in use`
        throw new MaasError('DATABASE_UNFIT', message, { slot: name })
      }
      await delay(POLL_MS)
    }
  })
}
