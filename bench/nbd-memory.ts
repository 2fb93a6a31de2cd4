/**
 * NBD from memory: our server beside `nbdkit memory`, driven by fio's nbd engine over a unix
 * socket, in turns within one run, so that whatever else the machine does hits both alike.
 *
 *   node bench/nbd-memory.ts [rounds] [seconds]
 *
 * Prints the median of the rounds. Ratios are what counts: the absolute figures are the machine's.
 */
import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcess, SpawnOptions } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { median } from './measure.ts'

/** 256 MiB: beyond the processor's caches, and small enough for two of them anywhere. */
const DEVICE_SIZE = 256 * 1024 * 1024
const START_TIMEOUT_MS = 10_000

interface Workload {
  readonly name: string
  readonly mode: 'randread' | 'randwrite' | 'read' | 'write'
  readonly blockSize: string
  readonly depth: number
  /** Requests a second for small blocks, MB/s for large ones. */
  readonly unit: 'IOPS' | 'MB/s'
}

const WORKLOADS: readonly Workload[] = [
  { name: '4K random read, qd1', mode: 'randread', blockSize: '4k', depth: 1, unit: 'IOPS' },
  { name: '4K random read, qd32', mode: 'randread', blockSize: '4k', depth: 32, unit: 'IOPS' },
  { name: '4K random write, qd32', mode: 'randwrite', blockSize: '4k', depth: 32, unit: 'IOPS' },
  { name: '1M read, qd4', mode: 'read', blockSize: '1m', depth: 4, unit: 'MB/s' },
  { name: '1M write, qd4', mode: 'write', blockSize: '1m', depth: 4, unit: 'MB/s' },
]

export interface NbdMeasurement {
  readonly workload: string
  readonly unit: string
  readonly ours: { readonly rate: number; readonly p99Us: number }
  readonly nbdkit: { readonly rate: number; readonly p99Us: number }
}

interface FioJob {
  readonly iops: number
  readonly bw_bytes: number
  readonly clat_ns: { readonly percentile: Readonly<Record<string, number>> }
}

/** One fio run against a socket. */
function measure(socketPath: string, workload: Workload, seconds: number) {
  const fio = spawnSync(
    'fio',
    [
      '--name=nbd',
      '--ioengine=nbd',
      `--uri=nbd+unix:///?socket=${socketPath}`,
      `--rw=${workload.mode}`,
      `--bs=${workload.blockSize}`,
      `--iodepth=${workload.depth}`,
      `--size=${DEVICE_SIZE}`,
      `--runtime=${seconds}`,
      '--time_based',
      '--output-format=json',
    ],
    { encoding: 'utf8' },
  )
  if (fio.status !== 0) throw new Error(`fio failed: ${fio.stderr}`)
  // fio's engine prints a line of its own before the JSON.
  const text = fio.stdout.slice(fio.stdout.indexOf('{'))
  const report = JSON.parse(text) as { jobs: { read: FioJob; write: FioJob }[] }
  const job = report.jobs[0]![workload.mode.endsWith('read') ? 'read' : 'write']
  const rate = workload.unit === 'IOPS' ? job.iops : job.bw_bytes / 1e6
  return { rate, p99Us: job.clat_ns.percentile['99.000000']! / 1000 }
}

async function startServers(directory: string) {
  const ours = join(directory, 'ours.sock')
  const nbdkit = join(directory, 'nbdkit.sock')
  const program = join(import.meta.dirname, 'nbd-memory-server.ts')
  const options: SpawnOptions = { stdio: ['ignore', 'ignore', 'inherit'] }
  const children: ChildProcess[] = [
    spawn(process.execPath, [program, ours, String(DEVICE_SIZE)], options),
    spawn('nbdkit', ['-f', '-U', nbdkit, 'memory', String(DEVICE_SIZE)], options),
  ]
  const deadline = Date.now() + START_TIMEOUT_MS
  while (!existsSync(ours) || !existsSync(nbdkit)) {
    if (Date.now() > deadline) throw new Error('a server did not start')
    await sleep(20)
  }
  return { ours, nbdkit, children }
}

async function stop(child: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  await gone
}

export async function run(rounds = 3, seconds = 3): Promise<NbdMeasurement[]> {
  const directory = mkdtempSync(join(tmpdir(), 'nbd-memory-'))
  const servers = await startServers(directory)
  try {
    // Both servers' memory is touched and the code is warm before anything counts.
    for (const socketPath of [servers.ours, servers.nbdkit]) {
      measure(socketPath, { ...WORKLOADS[4]!, name: 'fill' }, 1)
      measure(socketPath, WORKLOADS[1]!, 1)
    }
    return WORKLOADS.map((workload) => {
      const ours: { rate: number; p99Us: number }[] = []
      const nbdkit: { rate: number; p99Us: number }[] = []
      for (let round = 0; round < rounds; round += 1) {
        ours.push(measure(servers.ours, workload, seconds))
        nbdkit.push(measure(servers.nbdkit, workload, seconds))
      }
      const middle = (list: typeof ours) => ({
        rate: median(list.map((each) => each.rate)),
        p99Us: median(list.map((each) => each.p99Us)),
      })
      return {
        workload: workload.name,
        unit: workload.unit,
        ours: middle(ours),
        nbdkit: middle(nbdkit),
      }
    })
  } finally {
    await Promise.all(servers.children.map(stop))
    rmSync(directory, { recursive: true, force: true })
  }
}

export function formatTable(measurements: readonly NbdMeasurement[]): string {
  const lines = [
    '| NBD from memory | ours | nbdkit | ratio | p99 ours | p99 nbdkit | ratio |',
    '|---|---|---|---|---|---|---|',
  ]
  for (const { workload, unit, ours, nbdkit } of measurements) {
    const rate = (value: number): string => `${Math.round(value).toLocaleString('en')} ${unit}`
    const time = (value: number): string => `${Math.round(value)} µs`
    const ratio = (a: number, b: number): string => `${(a / b).toFixed(2)}×`
    const cells = [
      workload,
      rate(ours.rate),
      rate(nbdkit.rate),
      ratio(ours.rate, nbdkit.rate),
      time(ours.p99Us),
      time(nbdkit.p99Us),
      ratio(ours.p99Us, nbdkit.p99Us),
    ]
    lines.push(`| ${cells.join(' | ')} |`)
  }
  return lines.join('\n')
}

if (import.meta.main) {
  const [rounds, seconds] = process.argv.slice(2).map(Number)
  process.stdout.write(`${formatTable(await run(rounds, seconds))}\n`)
}
