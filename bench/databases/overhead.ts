/**
 * What protection costs production: the same load on two servers made alike, one of them
 * protected, in turns; while the protected one has its turn, a point is taken each minute.
 *
 *   node bench/databases/overhead.ts [--engine postgres|mariadb] [--rounds 5] [--seconds 60]
 *     [--size 500 (MB)] [--tps 0 (as fast as it goes)] [--nice 10] [--scratch DIR]
 *
 * Server, standby and engine run on the same machine as production, which they never would: so
 * they have a lower priority (--nice), and what counts beside the rate is the CPU time of
 * production's own processes for each transaction.
 */
import { join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { describeMachine, formatMachine, load } from '../machine.ts'
import { median } from '../measure.ts'
import { formatTable, say } from '../output.ts'
import { type Engine, type LoadResult, makeEngine } from './engine.ts'
import { Site, withRoot } from './site.ts'

const WARM_SECONDS = 15
/** Into the turn of the protected one; one more for each further minute. */
const POINT_AFTER_MS = 5000
const MINUTE_MS = 60_000

const { values } = parseArgs({
  options: {
    engine: { type: 'string', default: 'postgres' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '60' },
    size: { type: 'string', default: '500' },
    tps: { type: 'string', default: '0' },
    nice: { type: 'string', default: '10' },
    scratch: { type: 'string' },
  },
})
const seconds = Number(values.seconds)
const tps = Number(values.tps) || null

interface Turn extends LoadResult {
  readonly cpuMsPerTransaction: number
}

async function turn(engine: Engine): Promise<Turn> {
  const before = engine.cpuMs()
  const result = await engine.load(seconds, tps)
  const count = result.tps * seconds
  return { ...result, cpuMsPerTransaction: (engine.cpuMs() - before) / count }
}

/** @returns how many points were taken meanwhile, and their bytes */
async function withPoints(
  site: Site,
  sourceId: string,
  work: () => Promise<Turn>,
): Promise<{ turn: Turn; points: number }> {
  let points = 0
  let taking: Promise<void> = Promise.resolve()
  const take = (): void => {
    taking = taking.then(async () => {
      await site.takePoint(sourceId)
      points += 1
    })
  }
  const first = setTimeout(take, POINT_AFTER_MS)
  const more = setInterval(take, MINUTE_MS)
  try {
    const result = await work()
    await taking
    return { turn: result, points }
  } finally {
    clearTimeout(first)
    clearInterval(more)
  }
}

function row(name: string, turns: readonly Turn[], than?: readonly Turn[]): string[] {
  const of = (key: keyof Turn): string => {
    const own = median(turns.map((each) => each[key]))
    const digits = key === 'tps' ? 0 : 2
    if (than === undefined) return own.toFixed(digits)
    const ratios = turns.map((each, i) => each[key] / than[i]![key])
    return `${own.toFixed(digits)} (${median(ratios).toFixed(2)}×)`
  }
  return [name, of('tps'), of('latencyMs'), of('cpuMsPerTransaction')]
}

async function run(root: string): Promise<void> {
  const size = Number(values.size)
  await using plain = await makeEngine(values.engine, join(root, 'plain'), size)
  await using guarded = await makeEngine(values.engine, join(root, 'guarded'), size)
  await using site = await Site.make(root, Number(values.nice))
  const sourceId = await site.protect('shop', guarded)
  await plain.load(WARM_SECONDS, tps)
  await guarded.load(WARM_SECONDS, tps)
  const turns = { plain: [] as Turn[], guarded: [] as Turn[] }
  const rows: string[][] = []
  let points = 0
  for (let round = 1; round <= Number(values.rounds); round += 1) {
    const without = await turn(plain)
    const { turn: within, points: taken } = await withPoints(site, sourceId, () => turn(guarded))
    turns.plain.push(without)
    turns.guarded.push(within)
    points += taken
    const pair = [without, within].map((each) => `${each.tps.toFixed(0)} tps`).join(' and ')
    say(`round ${round}: ${pair}, load ${load().toFixed(1)}`)
    rows.push([String(round), ...[without, within].map((each) => each.tps.toFixed(0))])
  }
  const header = [values.engine, 'transactions a second', 'latency ms', 'CPU ms of production']
  const table = [row('unprotected', turns.plain), row('protected', turns.guarded, turns.plain)]
  process.stdout.write(`${formatTable(header, table)}\n\n`)
  process.stdout.write(`${points} points; ${formatTable(['round', 'without', 'with'], rows)}\n`)
  await site.unprotect(sourceId, 'shop')
}

process.stdout.write(`${formatMachine(describeMachine())}\n`)
process.stdout.write(`${JSON.stringify(values)}\n`)
await withRoot(values.scratch, run)
process.stdout.write(`load at the end ${load().toFixed(1)}\n`)
