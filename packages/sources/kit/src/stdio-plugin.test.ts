import { writeFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { requires } from '@openmaas/testkit/requires'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import type { PluginContext, PluginProgress } from './plugin.ts'
import { LineReader } from './line-reader.ts'
import { openStdioPlugin, type StdioPlugin } from './stdio-plugin.ts'

const EXAMPLE = join(import.meta.dirname, '../examples/file-plugin.py')
const HELLO = '{"hello":{"protocol":1,"engine":"sh","title":"Shell"}}'

let directory: TemporaryDirectory
let plugin: StdioPlugin | undefined

beforeEach(() => {
  directory = new TemporaryDirectory()
})

afterEach(() => {
  plugin?.[Symbol.dispose]()
  plugin = undefined
  directory[Symbol.dispose]()
})

function context(
  signal = new AbortController().signal,
): PluginContext & { said: PluginProgress[] } {
  const said: PluginProgress[] = []
  return { signal, said, progress: (progress) => said.push(progress) }
}

function seedOf(host: string, bytesPerSecond: number | null = null) {
  const connection = { host, port: 1, user: '', password: null, tls: 'off', ca: null } as const
  const id = 'src_00000000000000000000000001'
  return { engine: 'example', id, directory: directory.path, connection, bytesPerSecond }
}

/** A plug-in of one line of shell that reads a request and answers with a text. */
async function shell(script: string): Promise<StdioPlugin> {
  plugin = await openStdioPlugin({ command: ['sh', '-c', `echo '${HELLO}'; ${script}`] })
  return plugin
}

requires(['python3'], () => {
  const python = async (): Promise<StdioPlugin> => {
    plugin = await openStdioPlugin({ command: ['python3', EXAMPLE] })
    return plugin
  }

  test('a plug-in in Python copies, and tells its progress', async () => {
    const example = await python()
    const source = join(directory.path, 'source')
    writeFileSync(source, 'x'.repeat(10_000))
    const asked = context()
    const answer = await example.seed(seedOf(source), asked)
    expect(answer).toMatchObject({ sizeBytes: 10_000, version: '1' })
    expect(readFileSync(join(directory.path, 'data'), 'utf8')).toHaveLength(10_000)
    expect(asked.said.map((one) => one.bytesDone)).toEqual([4096, 8192, 10_000])
    expect(example).toMatchObject({ engine: 'example', title: 'Example' })
  })

  test('its refusals are errors of the table', async () => {
    const example = await python()
    const { connection } = seedOf('/does/not/exist')
    const asked = example.check({ engine: 'example', connection }, context())
    await expect(asked).rejects.toMatchObject({
      code: 'DATABASE_UNREACHABLE',
      details: { host: '/does/not/exist' },
    })
    const unknown = example.status({ ...seedOf('/'), connection: null }, context())
    await expect(unknown).rejects.toMatchObject({ code: 'ORDER_UNKNOWN' })
  })

  test('a cancelled request ends, and others go on', async () => {
    const example = await python()
    const source = join(directory.path, 'source')
    writeFileSync(source, 'x'.repeat(1_000_000))
    const abort = new AbortController()
    const asked = { ...context(abort.signal), progress: () => abort.abort() }
    const slow = example.seed(seedOf(source, 100_000), asked)
    await expect(slow).rejects.toMatchObject({ code: 'CANCELLED' })
    expect(await example.discover({}, context())).toEqual({ instances: [] })
  })
})

test('requests fail when the plug-in ends, and the next one starts it again', async () => {
  const mark = join(directory.path, 'ended')
  const answer = '{"id":2,"result":{"instances":[]}}'
  const script = `read line; if [ -e ${mark} ]; then echo '${answer}'; read end; fi; touch ${mark}`
  const ended = await shell(script)
  await expect(ended.discover({}, context())).rejects.toMatchObject({ code: 'PLUGIN_FAILED' })
  expect(await ended.discover({}, context())).toEqual({ instances: [] })
})

test.each([
  ['is no JSON', 'nonsense'],
  ['is no answer', '{"id":1}'],
  ['lacks what the order promises', '{"id":1,"result":{"instances":[{}]}}'],
])('an answer that %s is not believed', async (_what, line) => {
  const broken = await shell(`read line; echo '${line}'; read end`)
  await expect(broken.discover({}, context())).rejects.toMatchObject({ code: 'PLUGIN_FAILED' })
})

test('a plug-in that says no hello, or another protocol, is refused', async () => {
  for (const line of ['hello', HELLO.replace('1', '2')]) {
    const opened = openStdioPlugin({ command: ['sh', '-c', `echo '${line}'; read end`] })
    await expect(opened).rejects.toMatchObject({ code: 'PLUGIN_FAILED' })
  }
  await expect(openStdioPlugin({ command: ['/does/not/exist'] })).rejects.toMatchObject({
    code: 'MISSING_PROGRAM',
  })
})

test('a plug-in holds a standby and bounds its log when it says that it can', async () => {
  expect(await shell('read end')).not.toHaveProperty('hold')
  plugin?.[Symbol.dispose]()
  const hello = HELLO.replace('"Shell"', '"Shell","optional":["boundLog","hold","fly"]')
  const asked = join(directory.path, 'asked')
  const answer = (id: number): string =>
    `read line; echo "$line" >> ${asked}; echo '{"id":${id},"result":{}}'`
  const command = ['sh', '-c', `echo '${hello}'; ${answer(1)}; ${answer(2)}; read end`]
  plugin = await openStdioPlugin({ command })
  expect(plugin).not.toHaveProperty('fly')
  const { engine, id, connection } = seedOf('/x')
  const place = { engine, id, directory: '/mnt/openmaas/x' }
  await plugin.boundLog!(place)
  await plugin.hold!({ ...place, connection, retainedLimitBytes: 7, synchronous: false })
  const lines = readFileSync(asked, 'utf8').trim().split('\n')
  expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
    { id: 1, method: 'boundLog', params: place },
    { id: 2, method: 'hold', params: { ...place, retainedLimitBytes: 7 } },
  ])
})

test('a line may come in pieces, but not longer than the limit', () => {
  const reader = new LineReader(5)
  expect(reader.push(Buffer.from('ab'))).toEqual([])
  expect(reader.push(Buffer.from('cde\nf\n\ngh'))).toEqual(['abcde', 'f', ''])
  expect(reader.push(Buffer.from('ijkl'))).toBeNull()
  expect(new LineReader(5).push(Buffer.from('abcdef\n'))).toBeNull()
})

test('a plug-in that takes too much memory is ended, and started again with the next request', async () => {
  const keep = `s=$(head -c 60000000 /dev/zero | tr '\\0' x); read line; read end`
  const command = ['sh', '-c', `echo '${HELLO}'; ${keep}`]
  plugin = await openStdioPlugin({ command, memoryBytesMax: 50_000_000 })
  await expect(plugin.discover({}, context())).rejects.toMatchObject({
    code: 'PLUGIN_FAILED',
    message: expect.stringContaining('of memory'),
  })
})
