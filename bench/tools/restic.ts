/** restic: the one in PATH (Debian 0.14 in bookworm), and the newest of Debian's suites. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { type Command, measure } from '../measure.ts'
import { PASSPHRASE, type Tool } from './tool.ts'

export class Restic implements Tool {
  readonly name: string
  readonly isIncremental = true
  readonly #program: string

  private constructor(program: string, version: string) {
    this.#program = program
    this.name = `restic ${version}`
  }

  /** @returns undefined when the program does not run */
  static find(program: string): Restic | undefined {
    const child = spawnSync(program, ['version'], { encoding: 'utf8' })
    const version = /restic (\S+)/.exec(child.stdout ?? '')?.[1]
    return version === undefined ? undefined : new Restic(program, version)
  }

  command(repository: string, ...parameters: readonly string[]): Command {
    return {
      file: this.#program,
      parameters: ['-r', join(repository, 'data'), '-q', ...parameters],
      environment: {
        RESTIC_PASSWORD: PASSPHRASE,
        RESTIC_CACHE_DIR: join(repository, 'cache'),
      },
    }
  }

  async init(repository: string): Promise<void> {
    await measure(this.command(repository, 'init', '--repository-version', '2'))
  }

  backup(repository: string, source: string): Command {
    return this.command(repository, 'backup', source)
  }

  restore(repository: string, target: string): Command {
    return this.command(repository, 'restore', 'latest', '--target', target)
  }
}
