/**
 * Joins the sources of the command, and of each of its threads, to one JavaScript file each in
 * .build/: 150 modules less to find, to strip of types and to link, in each thread.
 *
 *     node tools/bundle.ts [--if-stale]
 *
 * The engine of a medium runs from its sources: it may live, and be started again, for longer than
 * a bundle is kept.
 *
 * Nothing depends on it. The launcher runs .build/openmaas.mjs when it is there; that compares
 * every source with what was bundled, and runs the sources themselves when one has changed. So a
 * bundle that is out of date is never run, and a working tree works without one.
 *
 *   .build/openmaas.mjs   the check, with sizes and times of the sources
 *   .build/sources.json   their paths
 *   .build/<time>/*.js    a file per thread, two of the command and a line for each of its
 *                         imports; packages of others stay in node_modules
 */
import { existsSync, globSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { SOURCE_OPTIONS } from '@openmaas/kernel/source-options'
import type { OutputOptions, Plugin } from 'rolldown'

const MAIN = 'packages/cli/src/main.ts'
/**
 * What backup, restore and the looking at points need, with all that it imports; no more than a
 * guess at what is run most, and wherever it is wrong the other file is loaded, too.
 */
const FIRST = [
  /packages\/(?:kernel|pool|sources\/files)\//,
  /packages\/agent\/src\/(?:capture|restore|owner)\//,
  /packages\/cli\/src\/(?:main\.ts|program\/|pool\/|format\/|messages\/)/,
  /packages\/cli\/src\/commands\/(?:backup|restore|points|ls|version)\.ts/,
]
/** Commands whose threads the launcher starts, and words that say that it should not. */
const LANES = {
  backup: 'agent-capture-lane-worker.js',
  restore: 'agent-restore-lane-worker.js',
}
const NO_LANES = ['--help', '-h', '--version', '--volume', '--dry-run', '--lanes']
/** With more processors there are some to spare anyway. */
const LANES_EARLY_MAX = 4
/** The new one, and the one that processes may still be loading threads from. */
const BUNDLES_KEPT = 2
/** The clock of a file system may lag behind the one that Date reads by a tick: 10 ms at most. */
const CLOCK_LAG_MS = 20
/** Packages with a binary of their own for each platform. */
const NATIVE = ['@napi-rs/blake-hash', '@node-rs/crc32']
const NATIVE_PREFIX = '\0native:'
const PACKAGE_PREFIX = '\0package:'

/** `new URL('./thread.ts', import.meta.url)`: a thread, an entry of its own. */
const THREAD = /new URL\(\s*'([^']+\.ts)',\s*import\.meta\.url\s*,?\s*\)/g
/**
 * koffi's own four files only find the binary and warn of calls that are deprecated; its package
 * for this platform is asked first.
 */
const KOFFI = `createRequire(import.meta.url)('koffi')`

const LOAD_KOFFI = `
function loadKoffi(require) {
  try {
    const native = require("@koromix/koffi-" + process.platform + '-' + process.arch)
    if (typeof native.load === 'function') return native
  } catch {
    // The long way says what is missing.
  }
  return require("koffi")
}
`

/** Entry → its name in the bundle; threads are found while sources are read. */
class Entries {
  readonly #root: string
  readonly #names = new Map<string, string>()
  /** In the order found; grows while it is walked. */
  readonly paths: string[] = []

  constructor(root: string) {
    this.#root = root
  }

  nameOf(path: string): string {
    const known = this.#names.get(path)
    if (known !== undefined) return known
    const name = relative(join(this.#root, 'packages'), path)
      .replace(/\.ts$/, '')
      .replaceAll(/\/src\/|\//g, '-')
    this.#names.set(path, name)
    this.paths.push(path)
    return name
  }

  /** What a module says of places becomes true again two folders below the root. */
  rewritePlaces(code: string, path: string): string {
    const here = 'OPENMAAS_BUNDLE_URL'
    const own = JSON.stringify(`../../${relative(this.#root, path)}`)
    const entry = (target: string): string | undefined =>
      existsSync(target) ? `new URL("./${this.nameOf(target)}.js", ${here})` : undefined
    const places = code
      .replaceAll(THREAD, (whole, target: string) => entry(join(dirname(path), target)) ?? whole)
      .replaceAll(KOFFI, `loadKoffi(createRequire(import.meta.url))`)
      .replaceAll('import.meta.url', `new URL(${own}, ${here}).href`)
      .replaceAll(here, 'import.meta.url')
    return code.includes(KOFFI) ? places + LOAD_KOFFI : places
  }
}

function placesPlugin(root: string, entries: Entries, sources: Set<string>): Plugin {
  return {
    name: 'places',
    transform(code, id) {
      if (!id.startsWith(join(root, 'packages'))) return null
      sources.add(relative(root, id))
      return code.includes('import.meta') ? entries.rewritePlaces(code, id) : null
    },
  }
}

/**
 * Native packages load when a module that needs them does, as in the sources: as imports of the
 * one file every command would load them. Their own loaders ask `process.report` for the C
 * library, which costs more than the rest of the loading, so the usual binary is tried first.
 */
function nativePlugin(): Plugin {
  return {
    name: 'native',
    resolveId: (id) => (NATIVE.includes(id) ? NATIVE_PREFIX + id : null),
    async load(id) {
      if (!id.startsWith(NATIVE_PREFIX)) return null
      const name = id.slice(NATIVE_PREFIX.length)
      const names = Object.keys((await import(name)) as object).filter((key) =>
        /^(?!default$)[A-Za-z]\w*$/.test(key),
      )
      return `import { createRequire } from 'node:module'
const require = createRequire(import.meta.url)
function load() {
  try {
    return require('${name}-${process.platform}-${process.arch}-gnu')
  } catch {
    return require('${name}')
  }
}
export const { ${names.join(', ')} } = load()
`
    },
  }
}

/**
 * Packages of others stay where npm put them, and what is Node's own stays there; both load as the
 * native ones do, when a module that needs them does. As imports of the one file, the server's
 * (fastify, pg, x509, node:http…) cost every command 0.22 s.
 */
function packagesPlugin(): Plugin {
  return {
    name: 'packages',
    resolveId(id, importer) {
      if (!isBuiltin(id) && !/^[@a-z]/i.test(id)) return null
      // node:module is what rolldown's own `require` is made with.
      if (id.startsWith('@openmaas/') || id === 'node:module') return null
      if (importer?.startsWith(PACKAGE_PREFIX) === true) return { id, external: true }
      return PACKAGE_PREFIX + id
    },
    load(id) {
      if (!id.startsWith(PACKAGE_PREFIX)) return null
      return `module.exports = require('${id.slice(PACKAGE_PREFIX.length)}')\n`
    },
  }
}

/** Files that decide what an import means: a change of theirs is a change of the bundle. */
function listManifests(root: string): string[] {
  const exclude = (path: string): boolean => path.includes('node_modules')
  const manifests = globSync('packages/**/package.json', { cwd: root, exclude })
  return ['package.json', 'package-lock.json', ...manifests].filter((path) =>
    existsSync(join(root, path)),
  )
}

/** The file that runs first: imports nothing before the check has been made. */
function renderLauncher(root: string, directory: string, sources: readonly string[]): string {
  const facts = sources.map((source) => {
    const { size, ino, mtimeMs, ctimeMs } = statSync(join(root, source))
    return `  ${JSON.stringify([source, size, ino, mtimeMs, ctimeMs])},\n`
  })
  return `// Made by tools/bundle.ts; do not edit.
import { statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'

// Path, size, inode, time of the content, time of the inode: the last is no program's to set.
const sources = [
${facts.join('')}]
const root = fileURLToPath(new URL('../', import.meta.url))

function isCurrent() {
  for (const [path, size, ino, mtimeMs, ctimeMs] of sources) {
    const now = statSync(root + path, { throwIfNoEntry: false })
    if (now === undefined || now.size !== size || now.ino !== ino) return false
    if (now.mtimeMs !== mtimeMs || now.ctimeMs !== ctimeMs) return false
  }
  return true
}

// The threads of a backup or restore boot on another processor while this one loads the command;
// WarmLanes takes them, or main.ts ends them.
const lanes = ${JSON.stringify(LANES)}
function startLanes() {
  const [command, ...rest] = process.argv.slice(2)
  if (!Object.hasOwn(lanes, command ?? '')) return
  if (rest.some((word) => ${JSON.stringify(NO_LANES)}.includes(word))) return
  const thread = new URL('./${directory}/' + lanes[command], import.meta.url)
  const count = Math.min(availableParallelism(), ${LANES_EARLY_MAX})
  globalThis[Symbol.for('openmaas.lanes')] = Array.from({ length: count }, () => new Worker(thread))
}

const current = isCurrent()
if (current) startLanes()
else (await import('node:v8')).setFlagsFromString('${SOURCE_OPTIONS.join(' ')}')
await import(current ? './${directory}/cli-main.js' : '../${MAIN}')
`
}

/** True when the bundle is that of the sources as they are now. */
export function isCurrent(root: string): boolean {
  try {
    const launcher = readFileSync(join(root, '.build/openmaas.mjs'), 'utf8')
    const sources = JSON.parse(readFileSync(join(root, '.build/sources.json'), 'utf8')) as string[]
    const directory = /import\(current \? '\.\/([^/]+)\//.exec(launcher)?.[1]
    return directory !== undefined && renderLauncher(root, directory, sources) === launcher
  } catch {
    return false // None was made yet, or a source has gone.
  }
}

/**
 * A thread is one file: each module costs a millisecond, and to read past code that is not run
 * nothing. The command is two: reading the compiled code of the server and the media, two thirds
 * of all, took each command 12 ms.
 */
function chunkOptions(name: string, isCommand: boolean): OutputOptions {
  const names = { entryFileNames: `${name}.js`, chunkFileNames: `${name}-[name].js` }
  if (!isCommand) return { ...names, codeSplitting: false }
  const isFirst = (id: string): boolean => FIRST.some((place) => place.test(id))
  const groups = [
    { name: 'first', test: isFirst, priority: 2, includeDependenciesRecursively: true },
    { name: 'rest', test: /./, priority: 1, includeDependenciesRecursively: false },
  ]
  return { ...names, strictExecutionOrder: true, codeSplitting: { groups } }
}

/**
 * Makes the bundle of a working tree. A command that starts meanwhile runs the sources.
 *
 * @returns false when a source changed meanwhile: then nobody knows which state was read
 */
export async function bundle(root: string): Promise<boolean> {
  const beganMs = Date.now()
  const { rolldown } = await import('rolldown')
  const target = join(root, '.build')
  const entries = new Entries(root)
  const sources = new Set<string>(listManifests(root))
  // Names sort by time.
  const directory = String(Date.now())
  mkdirSync(join(target, directory), { recursive: true })
  entries.nameOf(join(root, MAIN))
  for (const path of entries.paths) {
    const build = await rolldown({
      cwd: root,
      input: path,
      platform: 'node',
      plugins: [placesPlugin(root, entries, sources), nativePlugin(), packagesPlugin()],
      preserveEntrySignatures: false,
      logLevel: 'warn',
      // Chunks are made by groups: which imports are dynamic decides nothing.
      checks: { ineffectiveDynamicImport: false },
    })
    const name = entries.nameOf(path)
    const format = { dir: join(target, directory), format: 'esm', comments: false } as const
    await build.write({ ...format, ...chunkOptions(name, path === join(root, MAIN)) })
    await build.close()
  }
  const inputs = [...sources].toSorted()
  const changed = (path: string): boolean =>
    statSync(join(root, path)).ctimeMs > beganMs - CLOCK_LAG_MS
  if (inputs.some(changed)) {
    rmSync(join(target, directory), { recursive: true })
    return false
  }
  replace(join(target, 'sources.json'), JSON.stringify(inputs))
  replace(join(target, 'openmaas.mjs'), renderLauncher(root, directory, inputs))
  removeOld(target)
  return true
}

function replace(path: string, text: string): void {
  const temporary = `${path}.${process.pid}`
  writeFileSync(temporary, text)
  renameSync(temporary, path)
}

function removeOld(target: string): void {
  const bundles = readdirSync(target).filter((name) => /^\d+$/.test(name))
  for (const name of bundles.toSorted().slice(0, -BUNDLES_KEPT)) {
    rmSync(join(target, name), { recursive: true, force: true })
  }
}

if (import.meta.main) {
  const root = dirname(dirname(fileURLToPath(import.meta.url)))
  if (!process.argv.includes('--if-stale') || !isCurrent(root)) {
    if (!(await bundle(root))) process.stderr.write('bundle: a source changed meanwhile\n')
  }
}
