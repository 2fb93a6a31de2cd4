/** borg with what it takes by itself: AES with BLAKE2 in the key, lz4, buzhash chunks. */
import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Command, measure } from '../measure.ts'
import { PASSPHRASE, type Tool } from './tool.ts'

export class Borg implements Tool {
  readonly name: string
  readonly isIncremental = true
  #archives = 0

  private constructor(version: string) {
    this.name = `borg ${version}`
  }

  /** @returns undefined when the program does not run */
  static find(): Borg | undefined {
    const child = spawnSync('borg', ['--version'], { encoding: 'utf8' })
    const version = /borg (\S+)/.exec(child.stdout ?? '')?.[1]
    return version === undefined ? undefined : new Borg(version)
  }

  #command(repository: string, directory: string, ...parameters: readonly string[]): Command {
    return {
      file: 'borg',
      parameters,
      directory,
      environment: {
        BORG_REPO: join(repository, 'data'),
        BORG_BASE_DIR: join(repository, 'cache'),
        BORG_PASSPHRASE: PASSPHRASE,
      },
    }
  }

  async init(repository: string): Promise<void> {
    mkdirSync(join(repository, 'cache'), { recursive: true })
    await measure(this.#command(repository, '/', 'init', '-e', 'repokey-blake2'))
  }

  backup(repository: string, source: string): Command {
    this.#archives += 1
    return this.#command(repository, source, 'create', `::${this.#archives}`, '.')
  }

  /** Into the working directory, which is borg's only way. */
  restore(repository: string, target: string): Command {
    mkdirSync(target, { recursive: true })
    return this.#command(repository, target, 'extract', `::${this.#archives}`)
  }
}
