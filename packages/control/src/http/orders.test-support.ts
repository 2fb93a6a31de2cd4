/** Hosts that answer orders as the test says, at once; and every word the catalog has by then. */
import { MaasError } from '@openmaas/kernel/errors'
import type { OrderGiver, Params, Result, Verb } from '@openmaas/protocols/channel/orders'
import type { Catalog } from '../catalog/catalog.ts'
import { EXPORTED_TABLE_NAMES } from '../catalog/tables.ts'

type Answers = { [V in Verb]?: (params: Params<V>) => Result<V> }

export class ScriptedHosts implements OrderGiver {
  readonly answers: Answers = {}
  readonly asked: { hostId: string; verb: Verb; params: unknown }[] = []

  isConnected(): boolean {
    return true
  }

  order<V extends Verb>(hostId: string, verb: V, params: Params<V>): Promise<Result<V>> {
    this.asked.push({ hostId, verb, params })
    const answer = this.answers[verb] as ((params: Params<V>) => Result<V>) | undefined
    return new Promise((resolve, reject) => {
      if (answer === undefined) reject(new MaasError('HOST_OFFLINE', 'not connected', { hostId }))
      else resolve(answer(params))
    })
  }
}

/** All rows of all tables, as text: what must not be kept is looked for in it. */
export async function readWholeCatalog({ db }: Catalog): Promise<string> {
  const tables = [...EXPORTED_TABLE_NAMES, 'session', 'lease', 'idempotency'] as const
  const texts: string[] = []
  for (const table of tables) {
    texts.push(`${table}: ${JSON.stringify(await db.selectFrom(table).selectAll().execute())}`)
  }
  return texts.join('\n')
}
