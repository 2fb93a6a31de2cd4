/**
 * Random reads of 4 KiB, and one sequential pass, of a plugged image: through its disk and over
 * NBD, beside `restic mount` and qemu-nbd on the same image as compressed qcow2. Each starts with
 * cold caches of its own; the reads are direct where the interface has that.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, globSync, linkSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { missing } from '@openmaas/testkit/requires'
import { measure, MemoryWatch } from '../measure.ts'
import { formatTable, say } from '../output.ts'
import { IMAGE_NAME } from '../tools/tool.ts'
import { type Context, withScratch } from './context.ts'
import { mountRestic } from './restic-mount.ts'

interface Target {
  readonly name: string
  /** What makes fio read it. */
  readonly fio: (depth: number) => readonly string[]
  /** Processes that serve it. */
  readonly pids: readonly number[]
}

interface FioReport {
  readonly jobs: readonly {
    readonly read: {
      readonly iops: number
      readonly bw_bytes: number
      readonly clat_ns: { readonly percentile?: Readonly<Record<string, number>> }
    }
  }[]
}

const START_TIMEOUT_MS = 30_000

export async function benchReads(context: Context): Promise<string> {
  const title = '## Reads of a plugged image'
  const needs = { root: true, paths: ['/dev/fuse', '/dev/loop-control'], programs: ['fio'] }
  const absent = missing(needs)
  if (absent.length > 0) return `${title}\n\nskipped: ${absent.join(', ')} missing`
  const rows = await withScratch(context, async (directory) => [
    ...(await readOpenMaas(context, directory)),
    ...(await readRestic(context, directory)),
    ...(await readQemu(context, directory)),
  ])
  const header = [
    'what',
    '4K depth 1: IOPS',
    'p99 µs',
    '4K depth 16: IOPS',
    'p99 µs',
    '1M: MB/s',
    'peak MB',
  ]
  return `${title}\n\n${formatTable(header, rows)}`
}

function linkImage(context: Context): string {
  const { before } = context.data.image()
  const source = `${before}-source`
  rmSync(source, { recursive: true, force: true })
  mkdirSync(source)
  linkSync(before, join(source, IMAGE_NAME))
  return source
}

async function readOpenMaas(context: Context, directory: string): Promise<string[][]> {
  const { openmaas } = context
  const repository = join(directory, 'repository')
  await openmaas.init(repository)
  await measure(openmaas.backup(repository, linkImage(context), 'image'))
  const rows: string[][] = []
  const kinds = [
    ['openmaas plug, disk', '--no-mount', false],
    ['openmaas plug, NBD', '--no-attach', true],
  ] as const
  for (const [name, option, isNbd] of kinds) {
    const socket = join(directory, 'nbd.sock')
    const nbd = isNbd ? [`--nbd=unix:${socket}`] : []
    const plugged = openmaas.run(repository, 'plug', 'latest', option, ...nbd) as {
      id: string
      device: string
    }
    try {
      const media = openmaas.run(repository, 'media') as { id: string; enginePid: number }[]
      const pids = media.filter(({ id }) => id === plugged.id).map(({ enginePid }) => enginePid)
      const fio = isNbd ? nbdTarget(socket) : deviceTarget(plugged.device)
      rows.push(await readTarget(context, { name, fio, pids }))
    } finally {
      openmaas.run(repository, 'eject', plugged.id)
    }
  }
  rmSync(repository, { recursive: true })
  return rows
}

async function readRestic(context: Context, directory: string): Promise<string[][]> {
  const { restic } = context
  if (restic === undefined) return []
  if (missing({ programs: ['fusermount'] }).length > 0)
    return [['restic mount', 'skipped: fusermount missing']]
  const repository = join(directory, 'restic')
  mkdirSync(repository)
  await restic.init(repository)
  await measure(restic.backup(repository, linkImage(context)))
  await using mount = await mountRestic(restic, repository, join(directory, 'mount'))
  const image = globSync(`${mount.latest}/**/${IMAGE_NAME}`)[0]!
  const fio = (depth: number): string[] => [
    `--filename=${image}`,
    '--ioengine=psync',
    '--invalidate=1',
    `--numjobs=${depth}`,
    '--thread',
    '--group_reporting',
  ]
  const row = await readTarget(context, { name: `${restic.name} mount`, fio, pids: [mount.pid] })
  return [row]
}

async function readQemu(context: Context, directory: string): Promise<string[][]> {
  const name = 'qemu-nbd, qcow2 with zstd'
  const absent = missing({ programs: ['qemu-img', 'qemu-nbd'] })
  if (absent.length > 0) return [[name, `skipped: ${absent.join(', ')} missing`]]
  const { before } = context.data.image()
  const [disk, socket] = [join(directory, 'disk.qcow2'), join(directory, 'qemu.sock')]
  const format = ['-O', 'qcow2', '-c', '-o', 'compression_type=zstd']
  await measure({
    file: 'qemu-img',
    parameters: ['convert', '-f', 'raw', ...format, before, disk],
  })
  const server = spawn('qemu-nbd', ['-r', '-t', '-e', '0', '-k', socket, '-f', 'qcow2', disk], {
    stdio: 'ignore',
  })
  const ended = new Promise<void>((settle) => server.once('exit', () => settle()))
  try {
    const deadline = performance.now() + START_TIMEOUT_MS
    while (!existsSync(socket)) {
      if (performance.now() > deadline) throw new Error('qemu-nbd does not start')
      await delay(10)
    }
    return [await readTarget(context, { name, fio: nbdTarget(socket), pids: [server.pid!] })]
  } finally {
    server.kill('SIGTERM')
    await ended
  }
}

function deviceTarget(device: string): Target['fio'] {
  return (depth) => [
    `--filename=${device}`,
    '--ioengine=libaio',
    '--direct=1',
    `--iodepth=${depth}`,
  ]
}

function nbdTarget(socket: string): Target['fio'] {
  return (depth) => ['--ioengine=nbd', `--uri=nbd+unix:///?socket=${socket}`, `--iodepth=${depth}`]
}

async function readTarget(context: Context, target: Target): Promise<string[]> {
  const seconds = context.quick ? 3 : 5
  const { bytes } = context.data.image()
  const memory = new MemoryWatch(...target.pids)
  const random = (depth: number) => {
    say(`reads, ${target.name}, depth ${depth}`)
    const work = ['--rw=randread', '--bs=4k', `--runtime=${seconds}`, '--time_based']
    const { read } = fio([...target.fio(depth), ...work, `--size=${bytes}`, `--randseed=${depth}`])
    memory.look()
    const p99 = read.clat_ns.percentile?.['99.000000'] ?? Number.NaN
    return [Math.round(read.iops).toLocaleString('en'), String(Math.round(p99 / 1000))]
  }
  try {
    const cells = [target.name, ...random(1), ...random(16)]
    const { read } = fio([
      ...target.fio(1),
      '--rw=read',
      '--bs=1m',
      `--runtime=${seconds}`,
      `--size=${bytes}`,
    ])
    memory.look()
    cells.push(String(Math.round(read.bw_bytes / 1e6)))
    cells.push(String(Math.round(memory.peakBytes / 1e6)))
    return cells
  } finally {
    memory.stop()
  }
}

/** Blocks this thread, which has nothing else to do meanwhile. */
function fio(parameters: readonly string[]): FioReport['jobs'][number] {
  const child = spawnSync('fio', ['--name=reads', '--output-format=json', ...parameters], {
    encoding: 'utf8',
  })
  if (child.status !== 0) throw new Error(`fio failed: ${child.stderr}`)
  // Its nbd engine prints a line of its own before the JSON.
  const report = JSON.parse(child.stdout.slice(child.stdout.indexOf('{'))) as FioReport
  return report.jobs[0]!
}
