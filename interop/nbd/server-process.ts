/** Starts and ends serve-file.ts as a process of its own. */
import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import type { NbdAddress } from '@openmaas/protocols/nbd/listen-address'
import type { ServeOptions } from './serve-file.ts'

export class ServerProcess implements AsyncDisposable {
  readonly address: NbdAddress
  readonly #child: ChildProcess
  readonly #gone: Promise<unknown>

  private constructor(child: ChildProcess, address: NbdAddress) {
    this.#child = child
    this.address = address
    this.#gone = new Promise((resolve) => child.once('exit', resolve))
  }

  static async begin(options: ServeOptions): Promise<ServerProcess> {
    const program = join(import.meta.dirname, 'serve-file.ts')
    const child = spawn(process.execPath, [program, JSON.stringify(options)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const line = await new Promise<string>((resolve, reject) => {
      child.stdout.once('data', (bytes: Buffer) => resolve(bytes.toString()))
      child.once('exit', (code) => reject(new Error(`the server ended with ${code}`)))
    })
    return new ServerProcess(child, JSON.parse(line) as NbdAddress)
  }

  /** As the name says; the system takes its memory and its sockets. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#gone
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGTERM')
    await this.#gone
  }
}

/** Runs an outside program to its end. @returns what it printed @throws Error with its words */
export function run(directory: string, program: string, ...args: string[]): string {
  const result = spawnSync(program, args, {
    cwd: directory,
    env: systemFirst(),
    encoding: 'utf8',
    timeout: 120_000,
  })
  if (result.status === 0) return result.stdout
  const words = `${result.stdout}${result.stderr}${result.error?.message ?? ''}`
  throw new Error(`${program} ${args.join(' ')} ended with ${result.status}: ${words}`)
}

/** nbdsh looks for "python3" in the path, and its module is that of the system's Python. */
function systemFirst(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: `/usr/bin:${process.env['PATH'] ?? ''}` }
}
