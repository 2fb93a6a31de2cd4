/** The three scripts that stand between a fresh clone and the first TypeScript file. */
import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, realpathSync } from 'node:fs'
import { rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SOURCE_OPTIONS } from '@openmaas/kernel/source-options'

const ROOT = dirname(import.meta.dirname)

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'openmaas-bootstrap-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

interface Run {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program with nothing in the environment but what is given. */
function run(program: string, parameters: string[], env: Record<string, string> = {}): Run {
  const child = spawnSync(program, parameters, { encoding: 'utf8', env })
  if (child.error !== undefined) throw child.error
  return child
}

/** A program that tells its name, and its arguments one to a line. */
function writeEcho(path: string, name: string): void {
  writeFileSync(path, `#!/bin/sh\nprintf '%s\\n' ${name} "$@"\n`)
  chmodSync(path, 0o755)
}

describe('tools/bootstrap.mjs', () => {
  let bootstrap = ''
  let env: Record<string, string> = {}
  // A tree of its own with a fake npm: these tests must never install into the real one.
  beforeEach(() => {
    mkdirSync(join(folder, 'tools'))
    bootstrap = join(folder, 'tools', 'bootstrap.mjs')
    copyFileSync(join(ROOT, 'tools', 'bootstrap.mjs'), bootstrap)
    writeEcho(join(folder, 'tools', 'install-debian'), 'install-debian')
    writeEcho(join(folder, 'npm'), 'npm')
    writeLock('package-lock.json', '1.0.0')
    env = { PATH: `${folder}:/usr/bin:/bin`, OPENMAAS_NODE: process.execPath }
  })

  function writeLock(path: string, version: string): void {
    const foreign = { version: '1.0.0', optional: true }
    const packages = { '': {}, 'node_modules/a': { version }, 'node_modules/a-darwin': foreign }
    writeFileSync(join(folder, path), JSON.stringify({ packages }))
  }

  function writeInstalled(version: string): void {
    mkdirSync(join(folder, 'node_modules', 'a'), { recursive: true })
    const packages = { 'node_modules/a': { version } }
    const path = join(folder, 'node_modules', '.package-lock.json')
    writeFileSync(path, JSON.stringify({ packages }))
  }

  test('runs the command under the Node it found, and ends with its exit code', () => {
    writeInstalled('1.0.0')
    const script = 'console.log(process.execPath); process.exit(7)'
    const { status, stdout } = run(process.execPath, [bootstrap, '--', 'node', '-e', script], env)
    expect(stdout.trim().split('\n').at(-1)).toBe(process.execPath)
    expect(status).toBe(7)
  })

  test('leaves its Node where the launcher looks first', () => {
    writeInstalled('1.0.0')
    run(process.execPath, [bootstrap], env)
    const link = join(folder, '.tools', 'node', 'bin', 'node')
    expect(realpathSync(link)).toBe(realpathSync(process.execPath))
  })

  test('installs nothing when node_modules is what the lockfile says on this platform', () => {
    writeInstalled('1.0.0')
    const { stdout } = run(process.execPath, [bootstrap, '--for', 'test'], env)
    expect(stdout).toBe('install-debian\n--for\ntest\n')
  })

  test.each(['none', 'older'])('runs npm ci without install scripts when there is %s', (state) => {
    if (state === 'older') writeInstalled('0.9.0')
    const { stdout } = run(process.execPath, [bootstrap], env)
    expect(stdout).toMatch(/^npm\nci\n--ignore-scripts\n/)
  })

  test('waits for no bootstrap that has died', () => {
    mkdirSync(join(folder, '.tools'))
    // No process has this id: it is above the largest that Linux gives out.
    writeFileSync(join(folder, '.tools', 'bootstrap.lock'), '4194305')
    expect(run(process.execPath, [bootstrap], env).stdout).toMatch(/^npm\nci\n/)
  })

  test('refuses an OPENMAAS_NODE that is too old, and names it', () => {
    const old = join(folder, 'node')
    writeFileSync(old, '#!/bin/sh\necho v24.14.9\n')
    chmodSync(old, 0o755)
    const { status, stderr } = run(process.execPath, [bootstrap], { ...env, OPENMAAS_NODE: old })
    expect(stderr).toContain(`OPENMAAS_NODE=${old} is not Node 24.15 or newer`)
    expect(status).toBe(1)
  })
})

describe('tools/install-debian', () => {
  const script = join(ROOT, 'tools', 'install-debian')

  test('names each missing program and its package, and changes nothing', () => {
    // An empty PATH: of the programs asked for, only those in the sbin folders can be found.
    const { status, stderr } = run('/bin/sh', [script, '--check'], { PATH: folder })
    expect(status).toBe(1)
    expect(stderr).toMatch(/missing programs:.* rsync .* fio qemu-img /)
    expect(stderr).toMatch(/Debian packages:.* rsync .* fio qemu-utils /)
  })

  test('asks for less when only the demo is to run', () => {
    const { stderr } = run('/bin/sh', [script, '--check', '--for', 'start'], { PATH: folder })
    expect(stderr).toContain('rsync')
    expect(stderr).not.toContain('fio')
  })

  test('refuses what it does not know', () => {
    expect(run('/bin/sh', [script, '--purge'], { PATH: folder }).status).toBe(2)
    expect(run('/bin/sh', [script, '--for', 'fun'], { PATH: folder }).status).toBe(2)
  })
})

describe('the launcher packages/cli/bin/openmaas', () => {
  let launcher = ''
  beforeEach(() => {
    const bin = join(folder, 'tree with space', 'packages', 'cli', 'bin')
    mkdirSync(bin, { recursive: true })
    launcher = join(bin, 'openmaas')
    copyFileSync(join(ROOT, 'packages', 'cli', 'bin', 'openmaas'), launcher)
  })
  const main = (): string => join(folder, 'tree with space', 'packages', 'cli', 'src', 'main.ts')

  test('passes every argument on, through any chain of links, relative or not', () => {
    const node = join(folder, 'node')
    writeEcho(node, 'echo')
    symlinkSync('tree with space/packages/cli/bin/openmaas', join(folder, 'first'))
    symlinkSync(join(folder, 'first'), join(folder, 'second'))
    for (const path of [launcher, join(folder, 'first'), join(folder, 'second')]) {
      const { stdout } = run(path, ['ls', 'a b', ''], {
        PATH: '/usr/bin:/bin',
        OPENMAAS_NODE: node,
      })
      const options = ['--disable-warning=ExperimentalWarning', ...SOURCE_OPTIONS]
      const expected = ['echo', ...options, main(), 'ls', 'a b', '']
      expect(stdout, path).toBe(`${expected.join('\n')}\n`)
    }
  })

  test('prefers the Node that bootstrap left in .tools', () => {
    const bin = join(folder, 'tree with space', '.tools', 'node', 'bin')
    mkdirSync(bin, { recursive: true })
    writeEcho(join(bin, 'node'), 'bootstrapped')
    const { stdout } = run(launcher, [], { PATH: '/usr/bin:/bin' })
    expect(stdout).toMatch(/^bootstrapped\n/)
  })

  test.each([
    ['v24.15.0', 0],
    ['v26.0.1', 0],
    ['v24.14.9', 1],
    ['v20.20.2', 1],
  ])('with only node %s in PATH ends with %i', (version, status) => {
    const node = join(folder, 'node')
    writeFileSync(node, `#!/bin/sh\n[ "$1" != --version ] || echo ${version}\n`)
    chmodSync(node, 0o755)
    const result = run(launcher, [], { PATH: `${folder}:/usr/bin:/bin` })
    expect(result.status).toBe(status)
    if (status === 1) expect(result.stderr).toContain('run "npm start" once in')
  })

  test('keeps compiled code in the user’s cache, and nowhere when there is no home', () => {
    const node = join(folder, 'node')
    writeFileSync(node, '#!/bin/sh\necho "${NODE_COMPILE_CACHE:-none}"\n')
    chmodSync(node, 0o755)
    const env = { PATH: '/usr/bin:/bin', OPENMAAS_NODE: node }
    expect(run(launcher, [], env).stdout).toBe('none\n')
    const home = run(launcher, [], { ...env, HOME: '/home/a' })
    expect(home.stdout).toBe('/home/a/.cache/openmaas/compile\n')
  })
})
