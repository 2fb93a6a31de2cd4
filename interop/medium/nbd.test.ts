/**
 * Goal: other people's NBD programs read and write what "plug --nbd" exports: nbdinfo, nbdcopy,
 * qemu-img, qemu-io and fio, the last two while the engine is killed; and the copy is a file
 * system that e2fsck finds clean and that holds the files of the point.
 */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { makeImage, makeTree } from '@openmaas/testkit/data'
import { requires } from '@openmaas/testkit/requires'
import { waitFor } from '@openmaas/testkit/wait-for'
import { findLeftovers, findProcesses, kill } from '../support/leftovers.ts'
import { attempt, run } from '../support/program.ts'
import { Site } from '../support/site.ts'

const IMAGE_SIZE = 64 * 1024 * 1024

let site: Site
let ids: string[] = []

async function exportPoint(point: string, ...options: string[]): Promise<string> {
  const medium = await site.cli.plug(point, '--nbd', '--no-attach', ...options)
  ids.push(medium.id)
  return `nbd+unix:///?socket=${medium.nbd!}`
}

beforeAll(async () => {
  ids = []
  site = await Site.make()
  makeTree(site.folder('source'), { files: 300 })
  makeImage(site.join('image'), IMAGE_SIZE)
  await site.cli.backup(site.join('source'), '--name', 'tree')
  await site.cli.backup(site.join('image'), '--volume', '--name', 'image')
})
afterAll(async () => {
  await site[Symbol.asyncDispose]()
  await waitFor('nothing is left', () => findLeftovers([...ids, site.path]).length === 0)
})

requires(['nbdinfo', 'nbdcopy'], () => {
  test('nbdinfo and nbdcopy find a volume as it was backed up, holes included', async () => {
    const uri = await exportPoint('latest:image', '--read-only')
    const info = JSON.parse(await run(['nbdinfo', '--json', uri])) as {
      exports: Record<string, unknown>[]
    }
    expect(info.exports[0]).toMatchObject({ 'export-size': IMAGE_SIZE, is_read_only: true })
    const map = JSON.parse(await run(['nbdinfo', '--map', '--json', uri])) as {
      length: number
      type: number
    }[]
    expect(
      map.some(({ type }) => (type & 1) === 1),
      'holes',
    ).toBe(true)
    expect(map.reduce((sum, { length }) => sum + length, 0)).toBe(IMAGE_SIZE)
    await run(['nbdcopy', uri, site.join('copy')])
    expect(readFileSync(site.join('copy')).equals(readFileSync(site.join('image')))).toBe(true)
  })
})

requires({ programs: ['nbdcopy', 'e2fsck', 'rsync', 'mount'], root: true }, () => {
  test('the export of a tree is an ext4 file system that holds the files', async () => {
    const uri = await exportPoint('latest:tree')
    await run(['nbdcopy', '--connections=4', uri, site.join('disk')])
    await run(['e2fsck', '-fn', site.join('disk')])
    await run(['mount', '-o', 'loop', site.join('disk'), site.folder('mount')])
    try {
      const compare = ['rsync', '-aHAXn', '--checksum', '--itemize-changes', '--delete']
      const said = await run([...compare, `${site.join('source')}/`, `${site.join('mount')}/`])
      expect(said).toBe('')
    } finally {
      await run(['umount', site.join('mount')])
    }
  })
})

requires(['qemu-img', 'qemu-io'], () => {
  test('qemu-img converts and compares; qemu-io writes, and finds it again after kill -9', async () => {
    const uri = await exportPoint('latest:image')
    await run(['qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', uri, site.join('qcow2')])
    await run(['qemu-img', 'compare', '-f', 'raw', '-F', 'qcow2', uri, site.join('qcow2')])
    await run(['qemu-img', 'compare', '-f', 'raw', '-F', 'raw', uri, site.join('image')])
    const commands = ['write -P 0xab 1M 300k', 'write -z 8M 64k', 'discard 9M 1M', 'flush']
    const written = await run(['qemu-io', '-f', 'raw', ...asOptions(commands), uri])
    expect(written).not.toMatch(/failed|mismatch|error/i)
    await restartEngine()
    const again = ['read -P 0xab 1M 300k', 'read -P 0 8M 64k', 'read -P 0 9M 1M']
    const output = await run(['qemu-io', '-f', 'raw', ...asOptions(again), uri])
    expect(output).not.toMatch(/failed|mismatch|error/i)
    // The point itself has not changed.
    const other = await exportPoint('latest:image', '--read-only')
    await run(['qemu-img', 'compare', '-f', 'raw', '-F', 'raw', other, site.join('image')])
  })

  test('a qemu-img that may reconnect copies whole while the engine is killed', async () => {
    const uri = await exportPoint('latest:image', '--read-only')
    const socket = new URL(uri).searchParams.get('socket')!
    // As JSON, the driver takes the seconds for which it tries to connect again.
    const source = `json:${JSON.stringify({
      driver: 'raw',
      file: {
        driver: 'nbd',
        server: { type: 'unix', path: socket },
        'reconnect-delay': 30,
      },
    })}`
    // Slow enough for a kill in the middle.
    const copy = attempt([
      'qemu-img',
      'convert',
      '-r',
      '16M',
      '-O',
      'raw',
      source,
      site.join('out'),
    ])
    await waitFor(
      'it copies',
      () => existsSync(site.join('out')) && statSync(site.join('out')).blocks > 0,
    )
    await delay(300)
    await restartEngine()
    expect(await copy).toMatchObject({ exitCode: 0 })
    expect(readFileSync(site.join('out')).equals(readFileSync(site.join('image')))).toBe(true)
  })
})

requires(['fio'], () => {
  test('fio verifies every byte it wrote through the export', async () => {
    const uri = await exportPoint('latest:image')
    const output = await run(
      [
        'fio',
        '--name=verify',
        '--ioengine=nbd',
        `--uri=${uri}`,
        '--rw=randwrite',
        '--bsrange=512-128k',
        '--blockalign=512',
        '--iodepth=16',
        '--size=32m',
        '--verify=crc32c',
        '--verify_fatal=1',
        '--randseed=7',
      ],
      { directory: site.path },
    )
    expect(output).toMatch(/err= 0/)
  })
})

const asOptions = (commands: readonly string[]): string[] =>
  commands.flatMap((command) => ['-c', command])

/** Kills the engine of the newest medium and waits for the next. */
async function restartEngine(): Promise<void> {
  const id = ids.at(-1)!
  const before = findProcesses(id)!
  expect(kill(before.engine)).toBe(true)
  await waitFor('the next engine serves', async () => {
    const uri = (await site.cli.media()).find((medium) => medium.id === id)!.nbd!
    const { exitCode } = await attempt(['nbdinfo', '--size', `nbd+unix:///?socket=${uri}`])
    return exitCode === 0 && findProcesses(id)?.engine !== before.engine
  })
}
