/** A worker process: loads the product with the patches it is told, then runs worlds by seed. */
import { Crash } from '../disk/sim-disk.ts'
import type { Failure, Job, JobResult, WorkerSetup } from './jobs.ts'
import { applyPatches } from './patches.ts'

interface World {
  run(): object | Promise<object>
}
type MakeWorld = (seed: number, operations: number) => World

async function loadWorlds(): Promise<Record<Job['kind'], MakeWorld>> {
  const { PoolWorld } = await import('../pool/world.ts')
  const { OverlayWorld } = await import('../overlay/world.ts')
  return {
    pool: (seed, operations) => new PoolWorld({ seed, operations }),
    overlay: (seed, operations) => new OverlayWorld({ seed, operations }),
  }
}

/** Rejections that nobody looked at: a bug of the product, unless the machine had died. */
const unobserved: unknown[] = []
process.on('unhandledRejection', (reason) => {
  for (let error = reason; error instanceof Error; error = error.cause) {
    if (error instanceof Crash) return
  }
  unobserved.push(reason)
})

async function runJob(job: Job, make: MakeWorld): Promise<JobResult> {
  const counts: Record<string, number> = {}
  const failures: Failure[] = []
  const { kind, firstSeed, seedCount, operations } = job
  let seedsRun = 0
  for (let seed = firstSeed; seed < firstSeed + seedCount; seed += 1) {
    seedsRun += 1
    try {
      const more = (await make(seed, operations).run()) as Record<string, number>
      for (const [name, count] of Object.entries(more)) counts[name] = (counts[name] ?? 0) + count
      if (unobserved.length > 0) throw unobserved[0]
    } catch (error) {
      unobserved.length = 0
      const { message, stack = '' } = error instanceof Error ? error : new Error(String(error))
      failures.push({ kind, seed, message, stack })
      if (job.stopAtFailure) break
    }
  }
  return { job, seedsRun, counts, failures }
}

let worlds: Promise<Record<Job['kind'], MakeWorld>> | undefined

process.on('message', (message: WorkerSetup | Job) => {
  if ('patches' in message) {
    applyPatches(message.patches)
    worlds = loadWorlds()
    return
  }
  void answer(message)
})

async function answer(job: Job): Promise<void> {
  try {
    const makers = await worlds!
    process.send!(await runJob(job, makers[job.kind]))
  } catch (error) {
    // A product that cannot be loaded is no failed seed: the run itself is broken.
    console.error(error)
    process.exit(1)
  }
}
