/**
 * Builds the console into packages/console/dist, which `openmaas serve` serves, with a .gz and a
 * .br beside each file that gains by it.
 *
 *   node tools/build-console.ts [--if-stale]
 *
 * dist/build.json holds the hash of everything that the console is made from; --if-stale does
 * nothing when it is that of the files as they are now. Prints how much script a browser loads
 * before the dashboard shows, and fails above the limit.
 */
import { createHash } from 'node:crypto'
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync } from 'node:fs'
import { renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

/** Issue 5: what a slow line loads in a few seconds. */
const FIRST_LOAD_GZIP_BYTES_MAX = 350 * 1024
/** A smaller file is one packet either way. */
const COMPRESSED_FROM_BYTES = 1024
const COMPRESSIBLE = /\.(?:js|css|html|svg|json)$/
/** The first screen: with it, a browser that comes to / has all it needs. */
const FIRST_SCREENS = ['src/app/Shell.tsx', 'src/screens/dashboard/DashboardPage.tsx']

interface ManifestEntry {
  readonly file: string
  readonly isEntry?: boolean
  readonly imports?: readonly string[]
}
type Manifest = Readonly<Record<string, ManifestEntry>>

/** Everything that a change of could change the result. */
function hashInputs(root: string): string {
  const patterns = [
    'packages/console/{src,public}/**/*',
    'packages/console/{index.html,package.json,tsconfig.json,vite.config.ts}',
    'packages/api/src/**/*.ts',
    'packages/kernel/src/{assert,clock,errors,units}.ts',
    'package-lock.json',
    'tools/build-console.ts',
  ]
  const hash = createHash('sha256')
  for (const path of globSync(patterns, { cwd: root }).toSorted()) {
    if (path.endsWith('.test.ts') || !statSync(join(root, path)).isFile()) continue
    hash
      .update(`${path}\0`)
      .update(readFileSync(join(root, path)))
      .update('\0')
  }
  return hash.digest('hex')
}

export function isCurrent(root: string): boolean {
  try {
    const text = readFileSync(join(root, 'packages/console/dist/build.json'), 'utf8')
    return (JSON.parse(text) as { inputs: string }).inputs === hashInputs(root)
  } catch {
    return false // Not built yet.
  }
}

/** Entry, what it imports, and what the first screen adds. */
export function listFirstLoad(manifest: Manifest): string[] {
  const seen = new Set<string>()
  const visit = (key: string): void => {
    const entry = manifest[key]
    if (entry === undefined || seen.has(key)) return
    seen.add(key)
    for (const imported of entry.imports ?? []) visit(imported)
  }
  for (const [key, entry] of Object.entries(manifest)) if (entry.isEntry === true) visit(key)
  for (const key of FIRST_SCREENS) visit(key)
  return [...seen].map((key) => manifest[key]!.file)
}

function compressFiles(folder: string): void {
  for (const name of globSync('**/*', { cwd: folder })) {
    const path = join(folder, name)
    if (!COMPRESSIBLE.test(name) || statSync(path).size < COMPRESSED_FROM_BYTES) continue
    const bytes = readFileSync(path)
    writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }))
    // 9 of 11: the last two take ten times as long for three percent.
    const params = { [constants.BROTLI_PARAM_QUALITY]: 9 }
    writeFileSync(`${path}.br`, brotliCompressSync(bytes, { params }))
  }
}

/** @returns bytes of script, gzipped, that the first screen needs */
export async function buildConsole(root: string): Promise<number> {
  const home = join(root, 'packages/console')
  // Read before the build: what changes meanwhile makes the result stale, as it should.
  const inputs = hashInputs(root)
  const { build } = await import('vite')
  const cache = join(root, '.cache')
  mkdirSync(cache, { recursive: true })
  const made = mkdtempSync(join(cache, 'console-'))
  try {
    await build({
      root: home,
      configFile: join(home, 'vite.config.ts'),
      logLevel: 'warn',
      build: { outDir: made, emptyOutDir: true },
    })
    const manifestPath = join(made, '.vite/manifest.json')
    const manifest = JSON.parse(readFileSync(manifestPath, 'utf8')) as Manifest
    rmSync(dirname(manifestPath), { recursive: true })
    compressFiles(made)
    const firstLoad = listFirstLoad(manifest)
      .map((file) => join(made, file))
      .reduce((sum, path) => sum + statSync(existsSync(`${path}.gz`) ? `${path}.gz` : path).size, 0)
    writeFileSync(join(made, 'build.json'), JSON.stringify({ inputs, firstLoad }))
    // A server that runs meanwhile keeps serving the files that it has open.
    rmSync(join(home, 'dist'), { recursive: true, force: true })
    renameSync(made, join(home, 'dist'))
    return firstLoad
  } finally {
    rmSync(made, { recursive: true, force: true })
  }
}

if (import.meta.main) {
  const root = dirname(import.meta.dirname)
  if (!process.argv.includes('--if-stale') || !isCurrent(root)) {
    const firstLoad = await buildConsole(root)
    const kib = (bytes: number): string => `${(bytes / 1024).toFixed(0)} KiB`
    const limit = kib(FIRST_LOAD_GZIP_BYTES_MAX)
    process.stderr.write(`console: ${kib(firstLoad)} of script at first, gzipped; limit ${limit}\n`)
    if (firstLoad > FIRST_LOAD_GZIP_BYTES_MAX) process.exitCode = 1
  }
}
