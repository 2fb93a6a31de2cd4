/** What a database shows of the load, and what it should show: equal for equal commits. */
import { createHash } from 'node:crypto'

/** As pgbench has it. */
export const ACCOUNTS_PER_SCALE = 100_000

export interface Content {
  readonly count: number
  readonly last: number
  /** Sums over the history, of the counter, and of all accounts. */
  readonly sums: readonly [number, number, number]
  /** Of the history, in the order of its numbers. */
  readonly digest: string
}

/** @param row of a question whose columns are count, last, deltas, total, balances, digest */
export function contentOfRow(row: Readonly<Record<string, unknown>>): Content {
  const number = (name: string): number => Number(row[name])
  return {
    count: number('count'),
    last: number('last'),
    sums: [number('deltas'), number('total'), number('balances')],
    digest: String(row['digest']),
  }
}

export function contentOf(
  steps: readonly { readonly seq: number; readonly aid: number; readonly delta: number }[],
): Content {
  const sum = steps.reduce((before, { delta }) => before + delta, 0)
  const text = steps.map(({ seq, aid, delta }) => `${seq}:${aid}:${delta}`).join(',')
  return {
    count: steps.length,
    last: steps.at(-1)?.seq ?? 0,
    sums: [sum, sum, sum],
    digest: createHash('md5').update(text).digest('hex'),
  }
}
