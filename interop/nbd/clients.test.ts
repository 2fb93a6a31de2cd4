/** Other people's NBD clients on our server. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { SeededRandom } from '@openmaas/kernel/random'
import { requires } from '@openmaas/testkit/requires'
import { run, ServerProcess } from './server-process.ts'

const SIZE = 24 * 1024 * 1024

let directory: string
let file: string
let uri: string
let server: ServerProcess

/** Data in the first and third quarter, holes in the others. */
function makeContent(): Buffer {
  const content = Buffer.alloc(SIZE)
  const quarter = SIZE / 4
  const random = new SeededRandom(7)
  const sample = random.bytes(65_536)
  for (const begin of [0, 2 * quarter]) {
    for (let at = begin; at < begin + quarter; at += sample.length) {
      sample.writeUInt32BE(at, 0)
      sample.copy(content, at)
    }
  }
  return content
}

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'nbd-interop-'))
  file = join(directory, 'disk')
  writeFileSync(file, makeContent())
  const socketPath = join(directory, 'nbd.sock')
  uri = `nbd+unix:///?socket=${socketPath}`
  server = await ServerProcess.begin({ file, address: { socketPath } })
})
afterEach(async () => {
  await server[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true, force: true })
})

requires(['nbdinfo'], () => {
  test('nbdinfo sees the export, its flags and its block sizes', () => {
    const info = JSON.parse(run(directory, 'nbdinfo', '--json', uri)) as {
      exports: Record<string, unknown>[]
    }
    expect(info.exports[0]).toMatchObject({
      'export-name': '',
      'export-size': SIZE,
      description: 'a file',
      is_read_only: false,
      can_cache: true,
      can_df: true,
      can_flush: true,
      can_fua: true,
      can_multi_conn: true,
      can_trim: true,
      can_zero: true,
      block_size_minimum: 1,
      block_size_preferred: 4096,
      block_size_maximum: 33_554_432,
    })
  })

  test('nbdinfo lists the exports', () => {
    expect(run(directory, 'nbdinfo', '--list', uri)).toContain('description: a file')
  })

  test('nbdinfo maps holes and data', () => {
    const map = JSON.parse(run(directory, 'nbdinfo', '--map', '--json', uri)) as object[]
    const quarter = SIZE / 4
    expect(map).toMatchObject([
      { offset: 0, length: quarter, type: 0 },
      { offset: quarter, length: quarter, type: 3 },
      { offset: 2 * quarter, length: quarter, type: 0 },
      { offset: 3 * quarter, length: quarter, type: 3 },
    ])
  })
})

requires(['nbdcopy'], () => {
  test('nbdcopy copies from us and to us', () => {
    const copy = join(directory, 'copy')
    writeFileSync(copy, Buffer.alloc(SIZE))
    run(directory, 'nbdcopy', '--connections=4', uri, copy)
    expect(readFileSync(copy).equals(makeContent())).toBe(true)
    const other = makeContent().reverse()
    writeFileSync(copy, other)
    run(directory, 'nbdcopy', '--flush', '--connections=4', copy, uri)
    expect(readFileSync(file).equals(other)).toBe(true)
  })
})

requires(['qemu-img', 'qemu-io'], () => {
  test('qemu-img converts from us, compares, and converts to us', () => {
    const copy = join(directory, 'copy.qcow2')
    run(directory, 'qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', uri, copy)
    run(directory, 'qemu-img', 'compare', '-F', 'qcow2', '-f', 'raw', uri, copy)
    writeFileSync(file, Buffer.alloc(SIZE, 0xff)) // The same file, so the server sees it.
    run(directory, 'qemu-img', 'convert', '-n', '-f', 'qcow2', '-O', 'raw', copy, uri)
    expect(readFileSync(file).equals(makeContent())).toBe(true)
  })

  test('qemu-io writes, zeroes, discards, flushes and reads back', () => {
    const commands = [
      'write -P 0xab 1000 70000',
      'write -f -P 0xcd 1M 3M', // With FUA.
      'write -z 2M 64k',
      'write -z -u 3M 64k', // May leave a hole.
      'discard 4M 1M',
      'flush',
      'read -P 0xab 1000 70000',
      'read -P 0xcd 1M 1M',
      'read -P 0 2M 64k',
      'read -P 0 3M 64k',
      'aio_write -P 0x11 8M 1M',
      'aio_write -P 0x22 9M 1M',
      'aio_flush',
      'read -P 0x11 8M 1M',
      'read -P 0x22 9M 1M',
    ]
    const args = commands.flatMap((command) => ['-c', command])
    const output = run(directory, 'qemu-io', '-f', 'raw', ...args, uri)
    expect(output).not.toMatch(/failed|mismatch|error/i)
    expect(readFileSync(file).subarray(8 << 20, 10 << 20)).toEqual(
      Buffer.concat([Buffer.alloc(1 << 20, 0x11), Buffer.alloc(1 << 20, 0x22)]),
    )
  })
})

requires(['fio'], () => {
  test.each([
    ['4k', 'randrw', 32],
    ['1m', 'write', 4],
    ['512-64k', 'randwrite', 16],
  ])('fio verifies every byte of %s %s at depth %i', (blockSize, mode, depth) => {
    const output = run(
      directory,
      'fio',
      '--name=verify',
      '--ioengine=nbd',
      `--uri=${uri}`,
      `--rw=${mode}`,
      blockSize.includes('-') ? `--bsrange=${blockSize}` : `--bs=${blockSize}`,
      `--iodepth=${depth}`,
      `--size=${SIZE}`,
      '--verify=crc32c',
      '--verify_fatal=1',
      '--randseed=7',
    )
    expect(output).toMatch(/err= 0/)
  })
})

requires(['nbdsh'], () => {
  test('nbdsh reads, writes and asks for the status of blocks', () => {
    const script = `
h.pwrite(b"mosaic", 100, nbd.CMD_FLAG_FUA)
assert h.pread(6, 100) == b"mosaic"
h.zero(4096, 0)
assert h.pread(4096, 0) == bytearray(4096)
h.flush()
`
    run(directory, 'nbdsh', '-u', uri, '-c', script)
  })
})
