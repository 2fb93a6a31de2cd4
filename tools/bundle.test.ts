/** A small working tree is bundled and run through what the launcher runs. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { renameSync, utimesSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { bundle, isCurrent } from './bundle.ts'

/** Longer than the clock of a file system lags behind ours. */
const SETTLED_MS = 60

let root = ''
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'openmaas-bundle-'))
  write('package.json', '{ "type": "module" }')
  write('packages/cli/src/word.ts', `export const word: string = 'first'\n`)
  write(
    'packages/cli/src/main.ts',
    `import { Worker } from 'node:worker_threads'
import { word } from './word.ts'
const worker = new Worker(new URL('./thread.ts', import.meta.url))
worker.on('message', (text: string) => {
  console.log(word, text, import.meta.url.endsWith('/packages/cli/src/main.ts'), process.argv[2])
})
`,
  )
  write(
    'packages/cli/src/thread.ts',
    `import { parentPort } from 'node:worker_threads'
import { word } from './word.ts'
const isSource: boolean = process.argv[1]?.endsWith('main.ts') ?? false
parentPort?.postMessage(word + (isSource ? ' source' : ''))
`,
  )
  await sleep(SETTLED_MS)
})
afterEach(() => {
  rmSync(root, { recursive: true, force: true })
})

function write(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), text)
}

function run(...parameters: readonly string[]): string {
  const main = join(root, '.build/openmaas.mjs')
  const given = parameters.length === 0 ? ['x'] : parameters
  const child = spawnSync(process.execPath, [main, ...given], { encoding: 'utf8' })
  expect(child.stderr).toBe('')
  return child.stdout.trim()
}

/** What the bundled files say, whatever the sources do. */
function spoil(): void {
  const launcher = readFileSync(join(root, '.build/openmaas.mjs'), 'utf8')
  const directory = /'\.\/(\d+)\//.exec(launcher)![1]!
  const folder = join(root, '.build', directory)
  for (const name of readdirSync(folder).filter((entry) => entry.startsWith('cli-main'))) {
    const path = join(folder, name)
    writeFileSync(path, readFileSync(path, 'utf8').replace('"first"', '"bundled"'))
  }
}

test('a bundle runs with its threads, and knows the place of its sources', async () => {
  expect(await bundle(root)).toBe(true)
  expect(isCurrent(root)).toBe(true)
  expect(run()).toBe('first first true x')
  spoil()
  expect(run()).toBe('bundled first true x')
})

test('a bundle is not run once a source has changed, even to the same size and time', async () => {
  expect(await bundle(root)).toBe(true)
  const path = join(root, 'packages/cli/src/word.ts')
  const text = readFileSync(path, 'utf8')
  write('packages/cli/src/word.ts', text.replace('first', 'other'))
  const past = new Date(2020, 1, 1)
  utimesSync(path, past, past)
  expect(isCurrent(root)).toBe(false)
  expect(run()).toBe('other other true x')
  await sleep(SETTLED_MS)
  expect(await bundle(root)).toBe(true)
  expect(run()).toBe('other other true x')
})

test('no bundle is made of sources that change meanwhile', async () => {
  write('packages/cli/src/word.ts', `export const word: string = 'other'\n`)
  expect(await bundle(root)).toBe(false)
  expect(isCurrent(root)).toBe(false)
})

test('a bundle is not run once a manifest has changed or a source has another name', async () => {
  expect(await bundle(root)).toBe(true)
  spoil()
  write('package.json', '{ "type": "module", "version": "2.0.0" }')
  expect(run()).toBe('first first true x')
  await sleep(SETTLED_MS)
  expect(await bundle(root)).toBe(true)
  renameSync(join(root, 'packages/cli/src/word.ts'), join(root, 'packages/cli/src/words.ts'))
  expect(isCurrent(root)).toBe(false)
})

test('a bundle that was moved with its sources still finds them', async () => {
  expect(await bundle(root)).toBe(true)
  const moved = `${root}-moved`
  renameSync(root, moved)
  root = moved
  expect(run()).toBe('first first true x')
})

test('a package loads with the module that needs it, and not before', async () => {
  write('node_modules/heavy/package.json', '{ "name": "heavy", "main": "heavy.js" }')
  write('node_modules/heavy/heavy.js', `console.log('loaded')\nexports.name = 'heavy'\n`)
  write('packages/cli/src/late.ts', `import { name } from 'heavy'\nexport { name }\n`)
  const main = `import process, { argv } from 'node:process'
console.log(argv === process.argv)
if (argv[2] === 'x') console.log('begun', (await import('./late.ts')).name)
`
  write('packages/cli/src/main.ts', main)
  await sleep(SETTLED_MS)
  expect(await bundle(root)).toBe(true)
  expect(run()).toBe('true\nloaded\nbegun heavy')
  write('packages/cli/src/main.ts', main.replace(`'x'`, `'y'`))
  await sleep(SETTLED_MS)
  expect(await bundle(root)).toBe(true)
  expect(run()).toBe('true')
})

test('the threads of a command are started before it is loaded, and only for that command', async () => {
  write(
    'packages/agent/src/capture/lane-worker.ts',
    `import { parentPort } from 'node:worker_threads'
parentPort?.on('message', (text: string) => { parentPort?.postMessage('lane ' + text); parentPort?.close() })
`,
  )
  write(
    'packages/cli/src/main.ts',
    `import { Worker } from 'node:worker_threads'
const early = (globalThis as Record<symbol, Worker[]>)[Symbol.for('openmaas.lanes')]
const make = () => new Worker(new URL('../../agent/src/capture/lane-worker.ts', import.meta.url))
console.log(early === undefined ? 'none' : 'early')
for (const worker of early ?? [make()]) {
  worker.once('message', (text: string) => console.log(text))
  worker.postMessage('runs')
}
`,
  )
  await sleep(SETTLED_MS)
  expect(await bundle(root)).toBe(true)
  expect(run()).toBe('none\nlane runs')
  expect(new Set(run('backup', '/source').split('\n'))).toEqual(new Set(['early', 'lane runs']))
  expect(run('backup', '--help')).toBe('none\nlane runs')
})
