/** Runs openmaas commands of the demo as a user would: in processes of their own. */
import { spawn } from 'node:child_process'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { reviveError, type ErrorMessage } from '@openmaas/kernel/error-message'
import { MaasError } from '@openmaas/kernel/errors'
import type { Site } from '../program/site.ts'

const ENTRY = fileURLToPath(new URL('../main.ts', import.meta.url))

export class DemoCli {
  readonly #site: Site
  readonly #env: NodeJS.ProcessEnv

  constructor(site: Site, pool: string, passphraseFile: string) {
    this.#site = site
    this.#env = { ...site.env, OPENMAAS_POOL: pool, OPENMAAS_PASSPHRASE_FILE: passphraseFile }
  }

  /** Shows the command line, runs it, and gives what it says with --json. */
  async run<T>(...args: readonly string[]): Promise<T> {
    const { out } = this.#site
    if (!out.json)
      out.line(out.paint('dim', `  $ openmaas ${args.map((word) => quote(word)).join(' ')}`))
    out.flush()
    return this.quietly<T>(...args)
  }

  /** @throws MaasError the command's own */
  async quietly<T>(...args: readonly string[]): Promise<T> {
    const { stdout, stderr, code } = await this.#spawn([...args, '--json'])
    if (code === 0) return JSON.parse(stdout) as T
    const last = stderr.trim().split('\n').at(-1) ?? ''
    if (last.startsWith('{"error"')) {
      throw reviveError((JSON.parse(last) as { error: ErrorMessage }).error)
    }
    throw new MaasError('INTERNAL', `openmaas ${args.join(' ')} ended with ${code}`, { stderr })
  }

  /** The output as it is. */
  async text(...args: readonly string[]): Promise<string> {
    const { stdout, stderr, code } = await this.#spawn(args)
    if (code === 0) return stdout
    throw new MaasError('INTERNAL', `openmaas ${args.join(' ')} ended with ${code}`, { stderr })
  }

  #spawn(
    args: readonly string[],
  ): Promise<{ stdout: string; stderr: string; code: number | null }> {
    const child = spawn(process.execPath, [...process.execArgv, ENTRY, ...args], {
      env: this.#env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    return new Promise((resolve, reject) => {
      child.on('error', reject)
      child.on('close', (code, signal) => {
        // Ctrl-C reaches the child as well, maybe before it listens.
        if (signal === null) resolve({ stdout, stderr, code })
        else reject(new MaasError('CANCELLED', `openmaas ${args[0]} was ended by ${signal}`))
      })
    })
  }
}

function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
