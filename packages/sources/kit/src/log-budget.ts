/** How much of a volume the log beside the data may take. */
import { statfs } from 'node:fs/promises'

/** With points: so that any second between the last ones can be had. */
const MARKED_SHARE = 1 / 4
/** Without, since nobody takes any: then what follows the newest point is given up. */
const OPEN_SHARE = 1 / 2

export interface LogBudget {
  /** Beyond it, log/ reaches back to the newest points only. */
  readonly markedBytes: number
  /** Beyond it, even what the newest point needs to go on is removed, and told. */
  readonly openBytes: number
}

export async function logBudget(directory: string): Promise<LogBudget> {
  const { blocks, bsize } = await statfs(directory)
  const bytes = blocks * bsize
  return { markedBytes: bytes * MARKED_SHARE, openBytes: bytes * OPEN_SHARE }
}
