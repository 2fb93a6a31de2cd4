/**
 * Makes a fresh clone able to run: Node 24, the npm packages of the lockfile, Debian packages.
 *
 *   node tools/bootstrap.mjs [--for start|test] [-- command argument...]
 *
 * Each step first looks whether it is done already, so a second run costs a few milliseconds.
 * With a command, runs it under the Node that was found and ends with its exit code.
 *
 * This file must run on Node 20 without a single package: it is what fetches the newer Node.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, realpathSync, rmSync, symlinkSync } from 'node:fs'
import { writeFileSync } from 'node:fs'
import { basename, delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))
const TOOLS = join(ROOT, '.tools')
/** Where the launcher packages/cli/bin/openmaas looks first. */
const NODE_LINK = join(TOOLS, 'node', 'bin', 'node')
/** The oldest Node with zstd, node:sqlite, argon2 and type stripping all stable. */
const NODE_OLDEST = [24, 15]
/** What is fetched when the machine's Node is older. */
const NODE_FETCHED = '24.21.0'
/** A slow network installs in a few minutes; past this the other bootstrap is taken for hung. */
const LOCK_WAIT_MAX_MS = 15 * 60_000

function say(text) {
  process.stderr.write(`bootstrap: ${text}\n`)
}

function fail(text) {
  say(text)
  process.exit(1)
}

function isNewEnough(version) {
  const [major, minor] = version.replace(/^v/, '').split('.').map(Number)
  return major > NODE_OLDEST[0] || (major === NODE_OLDEST[0] && minor >= NODE_OLDEST[1])
}

/** The version that a node binary reports, or null when it does not run. */
function versionOf(node) {
  const child = spawnSync(node, ['--version'], { encoding: 'utf8' })
  return child.status === 0 ? child.stdout.trim() : null
}

/** The search path with the given Node in front, and where "su" drops them: mkfs, losetup. */
function pathWith(node) {
  const folders = [dirname(node), ...(process.env.PATH ?? '').split(delimiter)]
  if (process.platform === 'linux') folders.push('/usr/local/sbin', '/usr/sbin', '/sbin')
  return [...new Set(folders)].join(delimiter)
}

/** Runs npm under the given Node; npm itself is the machine's. */
function npm(node, parameters) {
  const environment = { ...process.env, PATH: pathWith(node) }
  // Else this npm takes the folder of the "npm start" around us for its own.
  delete environment.npm_config_prefix
  delete environment.npm_config_local_prefix
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  const cli = process.env.npm_execpath
  const [command, first] =
    cli !== undefined && basename(cli) === 'npm-cli.js' ? [node, [cli]] : ['npm', []]
  const child = spawnSync(command, [...first, ...parameters, ...quiet], {
    cwd: ROOT,
    env: environment,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  if (child.error !== undefined) fail(`npm does not run: ${child.error.message}`)
  if (child.status !== 0) fail(`"npm ${parameters.join(' ')}" failed; see its message above`)
}

/** Holds .tools/bootstrap.lock while something is installed; two at once would spoil both. */
async function locked(install) {
  mkdirSync(TOOLS, { recursive: true })
  const lock = join(TOOLS, 'bootstrap.lock')
  const until = Date.now() + LOCK_WAIT_MAX_MS
  for (let told = false; ; told = true) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' })
      break
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
    }
    if (!isRunning(lock)) {
      rmSync(lock, { force: true })
      continue
    }
    if (Date.now() > until) fail(`another bootstrap holds ${lock}; end it and run this again`)
    if (!told) say('another bootstrap is at work; waiting for it')
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  const release = () => rmSync(lock, { force: true })
  process.once('exit', release)
  try {
    return install()
  } finally {
    process.removeListener('exit', release)
    release()
  }
}

/** Whether the process that wrote the lock still lives. */
function isRunning(lock) {
  try {
    const pid = Number(readFileSync(lock, 'utf8'))
    return pid > 0 && process.kill(pid, 0)
  } catch (error) {
    return error.code === 'EPERM'
  }
}

/** The Node to run everything with: the one named, the one at hand, or the one in .tools. */
function findNode() {
  const named = process.env.OPENMAAS_NODE
  if (named !== undefined && named !== '') {
    const version = versionOf(named)
    if (version !== null && isNewEnough(version)) return named
    fail(`OPENMAAS_NODE=${named} is not Node ${NODE_OLDEST.join('.')} or newer`)
  }
  if (isNewEnough(process.version)) return process.execPath
  if (!existsSync(NODE_LINK)) return null
  const version = versionOf(NODE_LINK)
  return version !== null && isNewEnough(version) ? NODE_LINK : null
}

/** Fetches the platform's own npm package: a plain binary without an install script. */
function fetchNode() {
  const name = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`
  say(`this machine has Node ${process.version}; fetching ${name}@${NODE_FETCHED} into .tools/node`)
  const prefix = join(TOOLS, 'node')
  mkdirSync(prefix, { recursive: true })
  npm(process.execPath, ['install', '--prefix', prefix, '--no-save', `${name}@${NODE_FETCHED}`])
  const binary = join(prefix, 'node_modules', name, 'bin', 'node')
  if (versionOf(binary) === null) {
    fail(`${binary} does not run on this machine; install Node ${NODE_OLDEST.join('.')} or newer`)
  }
  return binary
}

/** Leaves the launcher its Node in one known place, so that it need not ask for versions. */
function linkNode(node) {
  const target = realpathSync(node)
  if (existsSync(NODE_LINK) && realpathSync(NODE_LINK) === target) return
  mkdirSync(dirname(NODE_LINK), { recursive: true })
  rmSync(NODE_LINK, { force: true })
  symlinkSync(target, NODE_LINK)
}

/**
 * Whether node_modules holds what the lockfile says. npm writes node_modules/.package-lock.json
 * last, so a half-made tree has none; optional packages of other platforms are never there.
 */
function modulesAreCurrent() {
  const installedPath = join(ROOT, 'node_modules', '.package-lock.json')
  if (!existsSync(installedPath)) return false
  const wanted = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')).packages
  const installed = JSON.parse(readFileSync(installedPath, 'utf8')).packages
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === '') continue
    const present = installed[path]
    if (present === undefined) {
      if (entry.optional === true || entry.devOptional === true) continue
      return false
    }
    if (present.version !== entry.version || present.integrity !== entry.integrity) return false
    if (!existsSync(join(ROOT, path))) return false
  }
  return true
}

/** Debian packages: tools/install-debian decides; without root it names what is missing. */
function installPrograms(purpose) {
  if (process.platform !== 'linux') return
  const script = join(ROOT, 'tools', 'install-debian')
  const child = spawnSync(script, ['--for', purpose], { stdio: ['ignore', 'inherit', 'inherit'] })
  // What is missing has been named; suites that need it report themselves as skipped.
  if (child.error !== undefined) fail(`tools/install-debian does not run: ${child.error.message}`)
}

/** The command starts in half the time from one file; without it the sources run. */
function bundleSources(node) {
  const script = join(ROOT, 'tools', 'bundle.ts')
  if (!existsSync(script) || !existsSync(join(ROOT, 'node_modules', 'rolldown'))) return
  const options = { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] }
  const child = spawnSync(node, [script, '--if-stale'], options)
  if (child.status !== 0) say('the sources could not be bundled; they run as they are')
}

/** What `openmaas serve` shows at /; without it the server says that there is none. */
function buildConsole(node) {
  const script = join(ROOT, 'tools', 'build-console.ts')
  if (!existsSync(script) || !existsSync(join(ROOT, 'node_modules', 'vite'))) return
  const options = { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] }
  const child = spawnSync(node, [script, '--if-stale'], options)
  if (child.status !== 0) say('the console could not be built, or has grown too large')
}

/** Runs the command with the found Node first in PATH; signals reach it through the terminal. */
function runCommand(node, command) {
  const environment = { ...process.env, OPENMAAS_NODE: node, PATH: pathWith(node) }
  const [program, ...parameters] = command
  const file = program === 'node' ? node : join(ROOT, program)
  const child = spawn(file, parameters, { env: environment, stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => child.kill(signal))
  }
  child.on('error', (error) => fail(`${program} does not run: ${error.message}`))
  child.on('exit', (code, signal) => {
    process.exit(code ?? (signal === 'SIGINT' ? 130 : 1))
  })
}

const separator = process.argv.indexOf('--')
const options = process.argv.slice(2, separator === -1 ? undefined : separator)
const command = separator === -1 ? [] : process.argv.slice(separator + 1)
const purpose = options[0] === '--for' ? options[1] : 'start'
if (purpose !== 'start' && purpose !== 'test') fail('usage: --for start|test [-- command ...]')

let node = findNode()
if (node === null) node = await locked(() => findNode() ?? fetchNode())
linkNode(node)
if (!modulesAreCurrent()) {
  await locked(() => {
    if (modulesAreCurrent()) return
    say('installing the npm packages of package-lock.json')
    npm(node, ['ci'])
  })
}
bundleSources(node)
buildConsole(node)
installPrograms(purpose)
if (command.length > 0) runCommand(node, command)
