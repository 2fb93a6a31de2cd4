/**
 * Builds the Debian package: sources, the packages of npm that they need, and the Node they run
 * on, in one file that needs no network.
 *
 *   node tools/deb/build-deb.ts [directory]      openmaas_<version>_<arch>.deb in it; default dist/
 *
 *   /usr/lib/openmaas/packages/*        as in the working tree, without tests
 *   /usr/lib/openmaas/node_modules/*    what package-lock.json wants outside of development
 *   /usr/lib/openmaas/.tools/node       the Node that runs this script
 *   /usr/bin/openmaas                   a link to the launcher
 *   /etc/openmaas, /lib/systemd/system, /usr/lib/sysusers.d, /usr/share/doc/openmaas
 *
 * No script of npm runs, here or at the installation.
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, cpSync, existsSync, globSync, mkdirSync } from 'node:fs'
import {
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import process from 'node:process'

const ROOT = dirname(dirname(import.meta.dirname))
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' }
/** What no command loads. */
const LEFT_OUT = /(\.test\.ts|\.bench\.ts|\.test-support\.ts|\/tests|\/README\.md)$/
/** The console is shipped as it was built. */
const CONSOLE_SOURCE = /\/packages\/console\/(?!dist(?:\/|$)|package\.json$)/
/** Only tests import it. */
const NOT_SHIPPED = ['@openmaas/testkit']

interface LockEntry {
  readonly link?: boolean
  readonly resolved?: string
  readonly dev?: boolean
  readonly devOptional?: boolean
}

export interface BuildOptions {
  /** Where the package goes. */
  readonly directory: string
  /** Of zstd: 1 is quick, 19 is small. */
  readonly level?: number
}

/** @returns the path of the package */
export function buildDeb({ directory, level = 10 }: BuildOptions): string {
  const version = readVersion()
  const arch = ARCHITECTURES[process.arch]
  if (arch === undefined) throw new Error(`no Debian has a name for ${process.arch}`)
  const tree = mkdtempSync(join(tmpdir(), 'openmaas-deb-'))
  try {
    chmodSync(tree, 0o755)
    copyProgram(join(tree, 'usr/lib/openmaas'))
    copyRest(tree)
    writeControl(tree, { version, arch })
    mkdirSync(directory, { recursive: true })
    const file = join(directory, `openmaas_${version}_${arch}.deb`)
    // Every file is root's, whoever builds.
    const form = ['--root-owner-group', '--uniform-compression', '-Zzstd', `-z${level}`]
    execFileSync('dpkg-deb', [...form, '--build', tree, file], { stdio: 'pipe' })
    return file
  } finally {
    rmSync(tree, { recursive: true, force: true })
  }
}

function readVersion(): string {
  const text = readFileSync(join(ROOT, 'packages/cli/package.json'), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

function copyProgram(target: string): void {
  mkdirSync(target, { recursive: true })
  const isShipped = (path: string): boolean =>
    !LEFT_OUT.test(path) && !path.endsWith('/packages/testkit') && !CONSOLE_SOURCE.test(path)
  cpSync(join(ROOT, 'packages'), join(target, 'packages'), { recursive: true, filter: isShipped })
  copyFileSync(join(ROOT, 'package.json'), join(target, 'package.json'))
  for (const [path, entry] of listModules()) {
    const copy = join(target, path)
    mkdirSync(dirname(copy), { recursive: true })
    // As npm has them: Node strips the types of files outside of node_modules only.
    if (entry.link === true) symlinkSync(`../../${entry.resolved}`, copy)
    else cpSync(join(ROOT, path), copy, { recursive: true })
  }
  const node = join(target, '.tools/node/bin/node')
  mkdirSync(dirname(node), { recursive: true })
  copyFileSync(realpathSync(process.execPath), node)
  chmodSync(node, 0o755)
}

/** What is installed and not for development; of packages for other platforms npm has none. */
function listModules(): [path: string, entry: LockEntry][] {
  const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<Record<string, LockEntry>>
  }
  return Object.entries(lock.packages).filter(([path, entry]) => {
    const isModule = path.startsWith('node_modules/') && existsSync(join(ROOT, path))
    const isForUse = entry.dev !== true && entry.devOptional !== true
    return isModule && isForUse && !NOT_SHIPPED.some((name) => path.endsWith(`/${name}`))
  })
}

function copyRest(tree: string): void {
  const put = (from: string, to: string, mode = 0o644): void => {
    const target = join(tree, to)
    mkdirSync(dirname(target), { recursive: true })
    copyFileSync(join(ROOT, from), target)
    chmodSync(target, mode)
  }
  for (const name of globSync('*.service', { cwd: join(ROOT, 'packaging/systemd') })) {
    put(`packaging/systemd/${name}`, `lib/systemd/system/${name}`)
  }
  for (const name of globSync('*.yaml', { cwd: join(ROOT, 'packaging/etc') })) {
    put(`packaging/etc/${name}`, `etc/openmaas/${name}`, 0o640)
  }
  put('packaging/sysusers/openmaas.conf', 'usr/lib/sysusers.d/openmaas.conf')
  put('LICENSE', 'usr/share/doc/openmaas/copyright')
  for (const name of globSync('*.md', { cwd: join(ROOT, 'docs/reference') })) {
    put(`docs/reference/${name}`, `usr/share/doc/openmaas/${name}`)
  }
  mkdirSync(join(tree, 'usr/bin'), { recursive: true })
  symlinkSync('../lib/openmaas/packages/cli/bin/openmaas', join(tree, 'usr/bin/openmaas'))
}

function writeControl(tree: string, { version, arch }: { version: string; arch: string }): void {
  const control = join(tree, 'DEBIAN')
  mkdirSync(control)
  const sizeKiB = execFileSync('du', ['-sk', '--exclude=DEBIAN', tree], { encoding: 'utf8' })
  const text = readFileSync(join(ROOT, 'packaging/debian/control'), 'utf8')
    .replace('@VERSION@', version)
    .replace('@ARCH@', arch)
    .replace('@SIZE@', sizeKiB.split('\t')[0]!)
  writeFileSync(join(control, 'control'), text)
  copyFileSync(join(ROOT, 'packaging/debian/conffiles'), join(control, 'conffiles'))
  for (const script of ['postinst', 'prerm', 'postrm']) {
    copyFileSync(join(ROOT, 'packaging/debian', script), join(control, script))
    chmodSync(join(control, script), 0o755)
  }
}

if (import.meta.main) {
  const file = buildDeb({ directory: resolve(process.argv[2] ?? 'dist') })
  process.stdout.write(`${file}\n`)
}
