/**
 * Plug-ins of a host's own: executables in one folder of its configuration, which speak the
 * protocol of docs/protocols/source-plugin.md over stdio.
 *
 * They run as the agent does, so as root: neither they nor anything above them may be changed by
 * anybody else. One that may is refused, and so is one that does not say hello; the agent starts
 * without it. They are read once, when the agent starts.
 */
import { readdirSync, realpathSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { errorToMessage } from '@openmaas/kernel/error-message'
import { MaasError } from '@openmaas/kernel/errors'
import { makeLog } from '@openmaas/kernel/log'
import { openStdioPlugin } from '@openmaas/source-kit/stdio-plugin'
import type { DatabasePlugins } from './plugins.ts'

const log = makeLog('openmaas:agent:plugin')

/** Each is a process, and an engine that somebody keeps data in. */
export const PLUGIN_COUNT_MAX = 32
/** Lines of stderr of one plug-in that reach the log in a second; the rest is counted. */
const STDERR_LINES_MAX = 50
const SECOND_MS = 1000

const WRITABLE_BY_OTHERS = 0o022
const EXECUTABLE = 0o111
/** Of a directory: only owners rename or remove what is in it, as in /tmp. */
const STICKY = 0o1000
const IS_DIRECTORY = 0o040000

/** What is there is added; what is wrong with the others is told. A folder may be missing. */
export async function loadPluginFolder(plugins: DatabasePlugins, folder: string): Promise<void> {
  const names = listNames(plugins, folder)
  await Promise.all(
    names.map(async (name) => {
      try {
        await loadPlugin(plugins, folder, name)
      } catch (error) {
        refuse(plugins, name, error)
      }
    }),
  )
}

function listNames(plugins: DatabasePlugins, folder: string): string[] {
  try {
    // A hidden file is an editor's or a package manager's.
    const names = readdirSync(folder).filter((name) => !name.startsWith('.'))
    requireOwn(folder)
    if (names.length <= PLUGIN_COUNT_MAX) return names
    const message = `${folder} holds more than ${PLUGIN_COUNT_MAX} plug-ins`
    throw new MaasError('PLUGIN_REFUSED', message, { path: folder })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') refuse(plugins, folder, error)
    return []
  }
}

function refuse(plugins: DatabasePlugins, name: string, error: unknown): void {
  const { code, message } = errorToMessage(error)
  log.error('plug-in refused', { plugin: name, code, message })
  plugins.refuse(name, message)
}

async function loadPlugin(plugins: DatabasePlugins, folder: string, name: string): Promise<void> {
  const path = requireOwn(join(folder, name))
  const { mode } = statSync(path)
  if ((mode & IS_DIRECTORY) !== 0 || (mode & EXECUTABLE) === 0) {
    const message = `${path} is no program: chmod +x ${path}, or take it out of the folder`
    throw new MaasError('PLUGIN_REFUSED', message, { path })
  }
  const plugin = await openStdioPlugin({ command: [path], onStderr: makeStderrLog(name) })
  try {
    plugins.add(plugin)
  } catch (error) {
    plugin[Symbol.dispose]()
    throw error
  }
  const { engine, title, version } = plugin
  log.info('plug-in loaded', { plugin: name, engine, title, version })
}

/**
 * The path without links, when nobody but root, or the user of this process, can change what
 * stands there: neither the file nor a directory that leads to it.
 *
 * @throws MaasError PLUGIN_REFUSED; Error of the file system
 */
export function requireOwn(path: string): string {
  const real = realpathSync(path)
  for (let at = real; ; at = dirname(at)) {
    const { uid, mode } = statSync(at)
    if (uid !== 0 && uid !== process.getuid?.()) {
      throw refused(real, at, `${at} belongs to the user ${uid}, not to root`)
    }
    const isSticky = (mode & IS_DIRECTORY) !== 0 && (mode & STICKY) !== 0 && at !== real
    if ((mode & WRITABLE_BY_OTHERS) !== 0 && !isSticky) {
      throw refused(real, at, `${at} may be written by others than its owner`)
    }
    if (at === '/') return real
  }
}

function refused(path: string, at: string, why: string): MaasError {
  const remedy = `chown root:root ${at} && chmod go-w ${at}`
  return new MaasError('PLUGIN_REFUSED', `${path} is not run: ${why}; ${remedy}`, { path, at })
}

/** Into the agent's log, but no more than people can read. */
function makeStderrLog(plugin: string): (line: string) => void {
  let second = 0
  let count = 0
  return (line) => {
    const now = Math.floor(performance.now() / SECOND_MS)
    if (now !== second) {
      const left = count - STDERR_LINES_MAX
      if (left > 0) log.warn('plug-in said more', { plugin, linesLeftOut: left })
      second = now
      count = 0
    }
    count += 1
    if (count <= STDERR_LINES_MAX) log.info('plug-in says', { plugin, line })
  }
}
