/** A server with production databases beside it, in a directory of their own on the disk. */
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GiB } from '@openmaas/kernel/units'
import type { Job } from '@openmaas/api/resources/job'
import { waitFor } from '@openmaas/testkit/wait-for'
import { runProgram } from '@openmaas/source-kit/run-program'
import { type Api, ServerProgram } from '../../interop/serve/server.test-support.ts'
import { findLeftovers } from '../../interop/support/leftovers.ts'
import { say } from '../output.ts'
import type { Engine } from './engine.ts'

/** A seed of tens of gigabytes on a busy machine. */
const JOB_MS = 3_600_000
/** The disk is shared with whoever else works on the machine. */
const FREE_MIN = 10 * GiB
const TICKS_PER_SECOND = 100

export class Site implements AsyncDisposable {
  readonly root: string
  readonly server: ServerProgram
  readonly hostId: string

  private constructor(root: string, server: ServerProgram, hostId: string) {
    this.root = root
    this.server = server
    this.hostId = hostId
  }

  /** @param niceness of everything that is ours, above that of production */
  static async make(root: string, niceness = 0): Promise<Site> {
    const options = { data: join(root, 'server'), flags: ['--http'] }
    const wrapper = ['nice', '-n', String(niceness)]
    const server = await ServerProgram.start({ ...options, wrapper })
    const { items } = await server.api.call('listHosts')
    return new Site(root, server, items.find(({ kind }) => kind === 'agent')!.id)
  }

  get api(): Api {
    return this.server.api
  }

  /** Seeded, followed, and with a first point. */
  async protect(name: string, engine: Engine): Promise<string> {
    const { kind, connection } = engine
    const source = await this.api.call('createSource', {
      body: { name, kind, hostId: this.hostId, database: { connection } },
    })
    await this.takePoint(source.id)
    return source.id
  }

  async takePoint(sourceId: string): Promise<Job> {
    const params = { sourceId }
    const { jobId } = await this.api.call('protectSource', { params, body: {} })
    return this.finish(jobId)
  }

  async unprotect(sourceId: string, name: string): Promise<void> {
    const body = { confirm: name, reason: 'the benchmark is over' }
    // Whatever works on it at this moment ends soon.
    const isOver = (): Promise<boolean> =>
      this.api.call('deleteSource', { params: { sourceId }, body }).then(() => true)
    await waitFor('no job works on the source', isOver, { timeoutMs: JOB_MS })
    const query = { 'filter[kind]': 'unprotect-database' }
    const { items } = await this.api.call('listJobs', { query })
    await this.finish(items[0]!.id)
  }

  async finish(jobId: string): Promise<Job> {
    const params = { jobId }
    const ended = async (): Promise<Job | false> => {
      const job = await this.api.call('getJob', { params })
      return job.endedAt !== null && job
    }
    const job = await waitFor(`${jobId} has ended`, ended, { timeoutMs: JOB_MS })
    if (job.state === 'succeeded' || job.state === 'warning') return job
    throw new Error(`${job.kind} ${job.state}: ${JSON.stringify(job.problem)}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]()
    const left = findLeftovers([join(this.root, 'server')])
    if (left.length > 0) say(`left behind: ${left.join('; ')}`)
  }
}

/** A directory that is removed in the end, on the disk with the most room. */
export async function withRoot<T>(
  given: string | undefined,
  work: (root: string) => Promise<T>,
): Promise<T> {
  const root = mkdtempSync(join(given ?? tmpdir(), 'openmaas-bench-databases-'))
  chmodSync(root, 0o755) // The servers' users pass through it.
  try {
    return await work(root)
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

/** @throws Error rather than fill the disk */
export function mustHaveRoom(root: string, bytes: number): void {
  const { bavail, bsize } = statfsSync(root)
  if (bavail * bsize - bytes >= FREE_MIN) return
  const free = Math.round((bavail * bsize) / GiB)
  throw new Error(`${free} GiB are free: too few for ${Math.round(bytes / GiB)} GiB more`)
}

/** Blocks in use below a directory, in bytes. */
export async function usedBytes(directory: string): Promise<number> {
  const { stdout } = await runProgram(['du', '-s', '-B1', directory], { user: null })
  return Number(stdout.split('\t')[0])
}

/** User and system time of a process, of its children, and of those that have ended. */
export function cpuOfMs(pid: number): number {
  let ticks = 0
  const parents = new Map<number, number[]>()
  for (const name of readdirSync('/proc').filter((each) => /^\d+$/.test(each))) {
    const fields = statOf(Number(name))
    if (fields === null) continue
    parents.set(Number(name), fields)
    const [parent = 0] = fields
    if (Number(name) === pid) ticks += sum(fields.slice(1))
    else if (parent === pid) ticks += sum(fields.slice(1, 3))
  }
  return (ticks * 1000) / TICKS_PER_SECOND
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0)

/** Parent; user and system time; the same of children that were waited for. */
function statOf(pid: number): number[] | null {
  try {
    const rest = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ')
    return [1, 11, 12, 13, 14].map((index) => Number(rest[index]))
  } catch {
    return null // It has ended.
  }
}
