/**
 * An agent that is killed: follows a database, says so, and does nothing more.
 *
 *   node agent.test-support.ts RUN_ROOT PARAMETERS
 */
import process from 'node:process'
import { DATABASE_ORDERS } from '@openmaas/protocols/channel/database-orders'
import { makePostgresPlugin } from '@openmaas/source-postgres/plugin'

const [runRoot = '', parameters = ''] = process.argv.slice(2)
const params = DATABASE_ORDERS['database.follow'].params.parse(JSON.parse(parameters))
const plugin = makePostgresPlugin({ runRoot })
const context = { signal: new AbortController().signal, progress: () => {} }
const status = await plugin.follow(params, context)
process.stdout.write(`${status.state}\n`)
// Its guard does not keep the process; a test that never kills it must not either.
setTimeout(() => {}, 120_000)
