/** The `openmaas` command as a user runs it: a program with arguments, output and an exit code. */
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { attempt, describe, type Outcome, type RunOptions, start, type Running } from './program.ts'

export const OPENMAAS = fileURLToPath(new URL('../../packages/cli/bin/openmaas', import.meta.url))

export interface CliError {
  readonly code: string
  readonly message: string
  readonly exitCode: number
  readonly details: Record<string, unknown>
}

export interface BackupResult {
  readonly id: string
  readonly status: string
  readonly parent: string | null
  readonly size: number
  readonly files: number
  readonly unchangedFiles: number
  readonly bytesRead: number
  readonly newBytes: number
  readonly storedBytes: number
  readonly warningCount: number
  readonly warnings: readonly unknown[]
}

export interface PlugResult {
  readonly id: string
  readonly device: string
  readonly mountPoint: string
  readonly nbd: string | null
  readonly state: string
  readonly enginePid?: number | null
}

export interface PointRow {
  readonly id: string
  readonly name: string
  readonly size: number
}

/** One pool, one passphrase, and the environment a shell would have. */
export class CommandLine {
  readonly environment: Readonly<Record<string, string>>

  constructor(options: { pool: string; passphraseFile: string; compileCache?: string }) {
    this.environment = {
      OPENMAAS_NODE: process.execPath,
      OPENMAAS_POOL: options.pool,
      OPENMAAS_PASSPHRASE_FILE: options.passphraseFile,
      // Kept between the runs of one test file, so that a start costs less.
      ...(options.compileCache !== undefined && { NODE_COMPILE_CACHE: options.compileCache }),
    }
  }

  begin(
    args: readonly string[],
    wrapper: readonly string[] = [],
    options: RunOptions = {},
  ): Running {
    const environment = { ...this.environment, ...options.environment }
    return start([...wrapper, OPENMAAS, ...args], { ...options, environment })
  }

  attempt(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    const environment = { ...this.environment, ...options.environment }
    return attempt([OPENMAAS, ...args, '--json'], { ...options, environment })
  }

  /** @throws Error unless it exits with 0, or with one of `allowed` */
  async json<T>(args: readonly string[], allowed: readonly number[] = [0]): Promise<T> {
    const outcome = await this.attempt(args)
    if (outcome.exitCode === null || !allowed.includes(outcome.exitCode)) {
      throw new Error(`openmaas ${args.join(' ')} ${describe(outcome)}`)
    }
    return JSON.parse(outcome.stdout) as T
  }

  /** @returns the error that it prints. @throws Error when it succeeds, or says nothing usable */
  async failure(args: readonly string[], options: RunOptions = {}): Promise<CliError> {
    const outcome = await this.attempt(args, options)
    const error = errorOf(outcome)
    if (error === undefined || outcome.exitCode !== error.exitCode) {
      throw new Error(`openmaas ${args.join(' ')} ${describe(outcome)}`)
    }
    return error
  }

  backup(path: string, ...options: string[]): Promise<BackupResult> {
    return this.json<BackupResult>(['backup', path, '--lanes', '2', ...options], [0, 6])
  }

  plug(...args: string[]): Promise<PlugResult> {
    return this.json<PlugResult>(['plug', ...args])
  }

  points(): Promise<PointRow[]> {
    return this.json<PointRow[]>(['points'])
  }

  media(): Promise<PlugResult[]> {
    return this.json<PlugResult[]>(['media'])
  }
}

/** The error object that --json prints on stderr, if it did. */
export function errorOf(outcome: Outcome): CliError | undefined {
  const line = outcome.stderr.trimEnd().split('\n').at(-1) ?? ''
  if (!line.startsWith('{"error":')) return undefined
  return (JSON.parse(line) as { error: CliError }).error
}
