/** `openmaas serve` as a program, on ports that it chooses itself. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { transcriptEnvironment } from './transcript.ts'

export const START_TIMEOUT_MS = 120_000
const LISTEN = ['listen', 'channel-listen', 'data-listen', 'nbd-listen'].flatMap((name) => [
  `--${name}`,
  '127.0.0.1:0',
])

interface Ready {
  readonly url: string
  readonly fingerprint: string
  readonly login?: { readonly password: string }
  readonly pool?: { readonly passphrase: string }
}

/** The server of one directory, whose address and first password are put into files there. */
export class Serve {
  #child: ChildProcess | undefined

  async start(directory: string): Promise<void> {
    const data = path.join(directory, 'server')
    const env = { ...transcriptEnvironment(directory), OPENMAAS_POOL: '' }
    const args = ['serve', '--json', '--data', data, '--log-level', 'error', ...LISTEN]
    const child = spawn('openmaas', args, {
      cwd: directory,
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    this.#child = child
    let output = ''
    child.stdout.setEncoding('utf8')
    for await (const piece of child.stdout) {
      output += String(piece)
      if (output.includes('\n')) break
    }
    const ready = JSON.parse(output) as Ready
    const { url, fingerprint, login, pool } = ready
    // Only the first start makes a user, and a pool.
    const files = {
      url,
      fingerprint,
      ...(login !== undefined && { password: login.password }),
      ...(pool !== undefined && { passphrase: pool.passphrase }),
    }
    const more = { new: 'a password of some length', nonsense: 'not this one at all' }
    for (const [name, text] of Object.entries({ ...files, ...more })) {
      writeFileSync(path.join(directory, name), `${text}\n`, { mode: 0o600 })
    }
  }

  async stop(): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    await ended
  }
}
