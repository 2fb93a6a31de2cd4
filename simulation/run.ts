/**
 * Simulates the product's pool and overlays over a disk that fails, and checks all invariants.
 *
 *   node simulation/run.ts --seeds 1000                  as in CI (2,000 steps each)
 *   node simulation/run.ts --seeds 50000 --steps 5000    npm run torture
 *   node simulation/run.ts --seed 42 --trace             one world again, with every step
 *
 * Further: --world pool|overlay, --first N, --jobs N. Exit code 1 when a seed fails, or when the
 * run did too little to mean anything.
 */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import type { Failure, Job, JobResult, WorldKind } from './harness/jobs.ts'
import { Worker } from './harness/jobs.ts'
import { applyPatches, SIMULATION_PATCHES } from './harness/patches.ts'
import { missedMinima } from './minima.ts'

/** Seeds a worker takes at a time. */
const SEEDS_PER_JOB = 20
/** Enough to see the kind of trouble; the rest of the run would only repeat it. */
const FAILURES_MAX = 20
const PROGRESS_MS = 15_000

interface Options {
  readonly kinds: readonly WorldKind[]
  readonly first: number
  readonly seeds: number
  readonly steps: number
  readonly jobs: number
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '2000' },
      first: { type: 'string', default: '1' },
      steps: { type: 'string' },
      seed: { type: 'string' },
      trace: { type: 'boolean', default: false },
      world: { type: 'string' },
      jobs: { type: 'string', default: String(availableParallelism()) },
    },
  })
  const kinds: readonly WorldKind[] =
    values.world === undefined ? ['pool', 'overlay'] : [checkKind(values.world)]
  const seeds = Number(values.seeds)
  // A long run also looks further into each world.
  const steps = Number(values.steps ?? (seeds > 10_000 ? 5000 : 2000))
  if (values.seed !== undefined) {
    return runOne(kinds[0]!, { seed: Number(values.seed), steps, isTraced: values.trace })
  }
  return runMany({ kinds, first: Number(values.first), seeds, steps, jobs: Number(values.jobs) })
}

function checkKind(text: string): WorldKind {
  if (text === 'pool' || text === 'overlay') return text
  throw new Error(`--world is pool or overlay, not ${text}`)
}

async function runOne(
  kind: WorldKind,
  { seed, steps, isTraced }: { seed: number; steps: number; isTraced: boolean },
): Promise<number> {
  applyPatches(SIMULATION_PATCHES)
  const trace = isTraced ? { trace: (line: string) => console.log(line) } : {}
  const options = { seed, operations: steps, ...trace }
  if (kind === 'pool') {
    const { PoolWorld } = await import('./pool/world.ts')
    console.log(await new PoolWorld(options).run())
  } else {
    const { OverlayWorld } = await import('./overlay/world.ts')
    console.log(new OverlayWorld(options).run())
  }
  return 0
}

async function runMany(options: Options): Promise<number> {
  const workers = Array.from(
    { length: options.jobs },
    () => new Worker({ patches: SIMULATION_PATCHES }),
  )
  let failed = 0
  let passed = 0
  try {
    for (const kind of options.kinds) {
      const { counts, failures, seedsRun } = await runKind(kind, options, workers)
      for (const failure of failures) report(failure, options.steps)
      const missed = failures.length > 0 ? [] : missedMinima(kind, counts, seedsRun)
      for (const text of missed) console.log(`too little happened: ${text}`)
      failed += failures.length + missed.length
      passed += seedsRun - failures.length
      console.log(`${kind}: ${JSON.stringify(counts)}`)
    }
  } finally {
    for (const worker of workers) worker.close()
  }
  console.log(`${passed} passed, ${failed} failed, 0 skipped`)
  return failed === 0 ? 0 : 1
}

interface KindResult {
  readonly counts: Record<string, number>
  readonly failures: Failure[]
  readonly seedsRun: number
}

async function runKind(
  kind: WorldKind,
  options: Options,
  workers: readonly Worker[],
): Promise<KindResult> {
  const total = { counts: {} as Record<string, number>, failures: [] as Failure[], seedsRun: 0 }
  const { first, seeds } = options
  let next = first
  let toldAt = performance.now()
  const takeJob = (): Job | undefined => {
    const left = first + seeds - next
    if (left <= 0 || total.failures.length >= FAILURES_MAX) return undefined
    const seedCount = Math.min(SEEDS_PER_JOB, left)
    const firstSeed = next
    next += seedCount
    return { kind, firstSeed, seedCount, operations: options.steps, stopAtFailure: false }
  }
  const serve = async (worker: Worker): Promise<void> => {
    for (let job = takeJob(); job !== undefined; job = takeJob()) {
      addResult(total, await worker.run(job))
      if (performance.now() - toldAt < PROGRESS_MS) continue
      toldAt = performance.now()
      console.log(`${kind}: ${total.seedsRun} of ${seeds} seeds`)
    }
  }
  await Promise.all(workers.map(serve))
  return total
}

function addResult(
  total: { -readonly [Key in keyof KindResult]: KindResult[Key] },
  result: JobResult,
): void {
  total.seedsRun += result.seedsRun
  total.failures.push(...result.failures)
  for (const [name, count] of Object.entries(result.counts)) {
    total.counts[name] = (total.counts[name] ?? 0) + count
  }
}

function report({ kind, seed, message, stack }: Failure, steps: number): void {
  const command = `node simulation/run.ts --world ${kind} --seed ${seed} --steps ${steps} --trace`
  console.log(`FAILED ${kind} seed ${seed}: ${message}\n  again: ${command}\n${indent(stack)}`)
}

function indent(stack: string): string {
  return stack.split('\n').slice(1, 8).join('\n')
}

process.exitCode = await main()
