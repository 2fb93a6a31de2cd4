/**
 * Runs the simulation against each mutant of mutant-list.ts: every one must be killed, that is,
 * some seed must fail.
 *
 *   node simulation/mutants.ts [--only <part of a name>] [--jobs N] [--shift N]
 *
 * Exit code 1 when one survives. --shift begins at another seed, to see how reliably each dies.
 */
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Failure } from './harness/jobs.ts'
import { Worker } from './harness/jobs.ts'
import type { Patch } from './harness/patches.ts'
import { patchText, ROOT, SIMULATION_PATCHES } from './harness/patches.ts'
import { MUTANTS } from './mutant-list.ts'
import type { Mutant } from './mutant-list.ts'

const STEPS = 2000

type Outcome = 'killed' | 'survived' | 'unsound'

interface Verdict {
  readonly outcome: Outcome
  readonly mutant: Mutant
  readonly seed: number
  readonly message: string
  readonly seconds: number
}

/** @throws when a patch does not fit: it must not look like a mutant that nobody can kill */
function checkPatches(mutants: readonly Mutant[]): void {
  for (const { patches } of mutants) {
    for (const patch of patches) patchText(readFileSync(join(ROOT, patch.file), 'utf8'), patch)
  }
}

async function hunt(mutant: Mutant, firstSeed: number): Promise<Verdict> {
  const { seeds, skip = 0, patches } = mutant
  const beganAt = performance.now()
  const failure = await firstFailure(mutant, {
    patches,
    firstSeed: firstSeed + skip,
    seedCount: seeds,
  })
  const seed = failure?.seed ?? 0
  let outcome: Outcome = failure === undefined ? 'survived' : 'killed'
  if (failure !== undefined) {
    // The unchanged product must pass where the mutant failed, or the kill means nothing.
    const own = await firstFailure(mutant, { patches: [], firstSeed: seed, seedCount: 1 })
    if (own !== undefined) outcome = 'unsound'
  }
  const seconds = (performance.now() - beganAt) / 1000
  return { mutant, outcome, seed, message: failure?.message ?? '', seconds }
}

async function firstFailure(
  { kind }: Mutant,
  options: { patches: readonly Patch[]; firstSeed: number; seedCount: number },
): Promise<Failure | undefined> {
  const { patches, firstSeed, seedCount } = options
  const worker = new Worker({ patches: [...SIMULATION_PATCHES, ...patches] })
  try {
    const job = { kind, firstSeed, seedCount, operations: STEPS, stopAtFailure: true }
    return (await worker.run(job)).failures[0]
  } finally {
    worker.close()
  }
}

function describe({ mutant, outcome, seed, message, seconds }: Verdict): string {
  const time = `${seconds.toFixed(1)} s`
  if (outcome === 'survived') return `SURVIVED ${mutant.name}: ${mutant.seeds} seeds, ${time}`
  const what = outcome === 'killed' ? 'killed  ' : 'UNSOUND '
  return `${what} ${mutant.name}: seed ${seed}, ${time}: ${message.slice(0, 120)}`
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', default: '' },
      jobs: { type: 'string', default: String(availableParallelism()) },
      shift: { type: 'string', default: '0' },
    },
  })
  const queue = MUTANTS.filter(({ name }) => name.includes(values.only))
  if (queue.length === 0) throw new Error(`no mutant has "${values.only}" in its name`)
  checkPatches(queue)
  const verdicts: Verdict[] = []
  const work = async (): Promise<void> => {
    for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
      const verdict = await hunt(mutant, 1 + Number(values.shift))
      console.log(describe(verdict))
      verdicts.push(verdict)
    }
  }
  await Promise.all(Array.from({ length: Number(values.jobs) }, work))
  const killed = verdicts.filter(({ outcome }) => outcome === 'killed').length
  const failed = verdicts.length - killed
  console.log(`${killed} passed, ${failed} failed, 0 skipped`)
  return failed === 0 ? 0 : 1
}

process.exitCode = await main()
