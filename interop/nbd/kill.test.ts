/** The server process is killed while it is written to; the client must not notice. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawn } from 'node:child_process'
import { SeededRandom } from '@openmaas/kernel/random'
import { NbdClient } from '@openmaas/protocols/nbd/client'
import { requires } from '@openmaas/testkit/requires'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ServerProcess } from './server-process.ts'
import type { ServeOptions } from './serve-file.ts'

const SIZE = 8 * 1024 * 1024
const BLOCK = 4096
const WRITERS = 32
const KILLS = 6
/** Writes each writer makes at least, so that every kill falls into work. */
const WRITES_MIN = 150

let directory: string
let options: ServeOptions
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'nbd-kill-'))
  const file = join(directory, 'disk')
  writeFileSync(file, Buffer.alloc(SIZE))
  options = { file, address: { socketPath: join(directory, 'nbd.sock') } }
})
afterEach(() => {
  rmSync(directory, { recursive: true, force: true })
})

/** A pause of the scenario, not of a check: lets the writers get into their work. */
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

test.each([1, 4])(
  'every acknowledged write survives kill -9 of the server, with %i connections',
  async (connectionCount) => {
    let server = await ServerProcess.begin(options)
    const client = await NbdClient.connect({ address: options.address, connectionCount })
    const model = Buffer.alloc(SIZE)
    let killing = true
    let writes = 0

    // Each writer owns every WRITERS-th block, so the order of its writes is known.
    const writer = async (id: number): Promise<void> => {
      const random = new SeededRandom(id + 1)
      for (let count = 0; killing || count < WRITES_MIN; count += 1) {
        const slot = random.below(SIZE / BLOCK / WRITERS)
        const offset = (slot * WRITERS + id) * BLOCK
        const source = Buffer.alloc(BLOCK, 1 + random.below(255))
        source.writeUInt32BE(count, 0)
        await client.write(offset, source)
        source.copy(model, offset)
        writes += 1
        if (count % 50 === 0) await client.flush()
        const target = Buffer.alloc(BLOCK)
        await client.read(offset, target)
        expect(target.equals(source), `writer ${id} write ${count}`).toBe(true)
      }
    }
    const writers = Promise.all(Array.from({ length: WRITERS }, (_, id) => writer(id)))
    const random = new SeededRandom(connectionCount)
    for (let kill = 0; kill < KILLS; kill += 1) {
      await pause(20 + random.below(150))
      await server.kill()
      server = await ServerProcess.begin(options)
    }
    killing = false
    await writers
    await client.close()
    await server[Symbol.asyncDispose]()
    expect(writes).toBeGreaterThanOrEqual(WRITERS * WRITES_MIN)
    expect(readFileSync(options.file).equals(model)).toBe(true)
  },
)

requires(['qemu-io'], () => {
  test('qemu’s client, which reconnects too, carries on after kill -9', async () => {
    let server = await ServerProcess.begin(options)
    const { socketPath } = options.address as { socketPath: string }
    const image = `driver=nbd,server.type=unix,server.path=${socketPath},reconnect-delay=60`
    const child = spawn('qemu-io', ['--image-opts', image], {
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    let output = ''
    child.stdout.on('data', (bytes: Buffer) => (output += bytes.toString()))
    child.stderr.on('data', (bytes: Buffer) => (output += bytes.toString()))
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.stdin.write('write -P 0x31 0 1M\n')
    for (let round = 0; round < 3; round += 1) {
      await pause(200)
      await server.kill()
      child.stdin.write(`write -P ${0x40 + round} ${round}M 1M\n`)
      server = await ServerProcess.begin(options)
    }
    child.stdin.end('read -P 0x40 0 1M\nread -P 0x41 1M 1M\nread -P 0x42 2M 1M\nflush\n')
    await gone
    await server[Symbol.asyncDispose]()
    expect(output).not.toMatch(/failed|error/i)
    const expected = Buffer.alloc(3 << 20, 0x40)
      .fill(0x41, 1 << 20)
      .fill(0x42, 2 << 20)
    expect(
      readFileSync(options.file)
        .subarray(0, 3 << 20)
        .equals(expected),
    ).toBe(true)
  })
})
