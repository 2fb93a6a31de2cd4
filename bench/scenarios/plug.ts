/**
 * From the command to the first byte of the disk: of volumes of growing size, and of the tree of
 * files, where the first byte of a file is read through the mount. Beside it `restic mount`.
 */
import { closeSync, ftruncateSync, mkdirSync, openSync, readdirSync, writeSync } from 'node:fs'
import { readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { GiB, KiB, MiB } from '@openmaas/kernel/units'
import { makeData } from '@openmaas/testkit/data'
import { missing } from '@openmaas/testkit/requires'
import { measure, median } from '../measure.ts'
import { formatTable, say } from '../output.ts'
import { IMAGE_NAME } from '../tools/tool.ts'
import { type Context, withScratch } from './context.ts'
import { mountRestic } from './restic-mount.ts'

const SIZES_GIB = [1, 10, 100]
const QUICK_SIZES_GIB = [1, 10]
/** Data in each GiB of the volume: enough to make a map of real depth. */
const DATA_PER_GIB = 8 * MiB

interface Plugged {
  readonly id: string
  readonly device: string | null
  readonly mountPoint: string | null
  readonly elapsedMs: number
}

interface Timing {
  readonly firstByteMs: number
  readonly commandMs: number
  readonly cpuMs: number
  readonly ejectMs: number
}

export async function benchPlug(context: Context): Promise<string> {
  const title = '## From `plug` to the first byte'
  const absent = missing({ root: true, paths: ['/dev/fuse', '/dev/loop-control'] })
  if (absent.length > 0) return `${title}\n\nskipped: ${absent.join(', ')} missing`
  const rows: string[][] = []
  for (const size of context.quick ? QUICK_SIZES_GIB : SIZES_GIB) {
    say(`plug, volume of ${size} GiB`)
    rows.push(await withScratch(context, (directory) => benchVolume(context, directory, size)))
  }
  say('plug, tree')
  rows.push(...(await withScratch(context, (directory) => benchTree(context, directory))))
  const header = ['what', 'first byte ms', 'command ms', 'CPU ms of the command', 'eject ms']
  return `${title}\n\n${formatTable(header, rows)}`
}

async function benchVolume(context: Context, directory: string, sizeGiB: number) {
  const source = join(directory, 'source')
  mkdirSync(source)
  makeSparse(join(source, IMAGE_NAME), sizeGiB)
  const repository = join(directory, 'repository')
  await context.openmaas.init(repository)
  await measure(context.openmaas.backup(repository, source, 'image'))
  const timings: Timing[] = []
  for (let round = 0; round < context.rounds; round += 1) {
    timings.push(
      await plugOnce(context, repository, ['--no-mount'], ({ device }) => readFirst(device!)),
    )
  }
  return formatTimings(`volume of ${sizeGiB} GiB`, timings)
}

async function benchTree(context: Context, directory: string): Promise<string[][]> {
  const { path, files } = context.data.tree()
  const repository = join(directory, 'repository')
  await context.openmaas.init(repository)
  await measure(context.openmaas.backup(repository, path, 'tree'))
  const timings: Timing[] = []
  for (let round = 0; round < context.rounds; round += 1) {
    timings.push(
      await plugOnce(context, repository, [], ({ mountPoint }) => readFirst(mountPoint!)),
    )
  }
  const name = `${files.toLocaleString('en')} files`
  const rows = [formatTimings(name, timings)]
  if (context.restic === undefined || missing({ programs: ['fusermount'] }).length > 0) return rows
  const restic = join(directory, 'restic')
  mkdirSync(restic)
  await context.restic.init(restic)
  await measure(context.restic.backup(restic, path))
  const times: number[] = []
  for (let round = 0; round < context.rounds; round += 1) {
    const begin = performance.now()
    await using mount = await mountRestic(context.restic, restic, join(directory, 'mount'))
    readFirst(mount.latest)
    times.push(performance.now() - begin)
  }
  rows.push([
    `${name}, ${context.restic.name} mount`,
    String(Math.round(median(times))),
    '',
    '',
    '',
  ])
  return rows
}

async function plugOnce(
  { openmaas }: Context,
  repository: string,
  options: readonly string[],
  read: (plugged: Plugged) => void,
): Promise<Timing> {
  const begin = performance.now()
  const cost = await measure(openmaas.command(repository, 'plug', 'latest', ...options))
  const plugged = JSON.parse(cost.output) as Plugged
  try {
    read(plugged)
    const firstByteMs = performance.now() - begin
    const { wallMs: commandMs, userMs, systemMs } = cost
    const eject = await measure(openmaas.command(repository, 'eject', plugged.id))
    return { firstByteMs, commandMs, cpuMs: userMs + systemMs, ejectMs: eject.wallMs }
  } catch (error) {
    openmaas.run(repository, 'eject', plugged.id, '--force')
    throw error
  }
}

function formatTimings(name: string, timings: readonly Timing[]): string[] {
  const middle = (key: keyof Timing): string =>
    String(Math.round(median(timings.map((timing) => timing[key]))))
  return [name, middle('firstByteMs'), middle('commandMs'), middle('cpuMs'), middle('ejectMs')]
}

/** Data at even distances, in a file that is otherwise one hole. */
function makeSparse(path: string, sizeGiB: number): void {
  const file = openSync(path, 'w')
  ftruncateSync(file, sizeGiB * GiB)
  for (let gib = 0; gib < sizeGiB; gib += 1) {
    for (let i = 0; i < 8; i += 1) {
      const data = makeData('databasePages', DATA_PER_GIB / 8, gib * 8 + i + 1)
      writeSync(file, data, 0, data.length, gib * GiB + (i * GiB) / 8)
    }
  }
  closeSync(file)
}

/** The first byte of a device or a file, or of the first file in a directory. */
function readFirst(path: string): void {
  if (statSync(path).isDirectory()) {
    const first = readdirSync(path).find((name) => name !== 'lost+found')
    readFirst(join(path, first!))
    return
  }
  const file = openSync(path, 'r')
  const count = readSync(file, Buffer.alloc(4 * KiB), 0, 4 * KiB, 0)
  closeSync(file)
  if (count === 0) throw new Error(`${path} is empty`)
}
