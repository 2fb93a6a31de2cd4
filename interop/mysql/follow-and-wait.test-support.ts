/** An agent that follows and is killed: `node follow-and-wait.test-support.ts RUN-ROOT ORDER`. */
import process from 'node:process'
import { DATABASE_ORDERS } from '@openmaas/protocols/channel/database-orders'
import { makeMysqlPlugin } from '@openmaas/source-mysql/plugin'

const [runRoot = '', order = ''] = process.argv.slice(2)
const params = DATABASE_ORDERS['database.follow'].params.parse(JSON.parse(order))
const context = { signal: new AbortController().signal, progress: (): void => {} }
const status = await makeMysqlPlugin({ runRoot }).follow(params, context)
process.stdout.write(`${status.state}\n`)
// Whoever started it kills it; a test that forgets must not leave it for ever.
setTimeout(() => process.exit(1), 120_000)
