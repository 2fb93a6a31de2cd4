/** NBD from memory beside nbdkit; see bench/nbd-memory.ts, which also runs alone. */
import { missing } from '@openmaas/testkit/requires'
import { formatTable, run } from '../nbd-memory.ts'
import type { Context } from './context.ts'

export async function benchNbd(context: Context): Promise<string> {
  const title = '## NBD from memory'
  const absent = missing({ programs: ['fio', 'nbdkit'] })
  if (absent.length > 0) return `${title}\n\nskipped: ${absent.join(', ')} missing`
  const measured = await run(context.rounds, context.quick ? 1 : 3)
  return `${title}\n\n${formatTable(measured)}`
}
