/** This product, through its command line. */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Command } from '../measure.ts'
import { measure } from '../measure.ts'
import { IMAGE_NAME, PASSPHRASE, type SourceKind, type Tool } from './tool.ts'

const PROGRAM = fileURLToPath(new URL('../../packages/cli/bin/openmaas', import.meta.url))

export class OpenMaas implements Tool {
  readonly name = 'openmaas'
  readonly isIncremental = true
  readonly #passphraseFile: string

  /** @param passphraseFile is written here, for the commands to read */
  constructor(passphraseFile: string) {
    this.#passphraseFile = passphraseFile
    writeFileSync(passphraseFile, `${PASSPHRASE}\n`, { mode: 0o600 })
  }

  command(repository: string, ...parameters: readonly string[]): Command {
    const common = ['--pool', repository, '--passphrase-file', this.#passphraseFile]
    return {
      file: PROGRAM,
      parameters: [...parameters, ...common, '--json', '--quiet'],
      // The Node that runs the benchmarks, whichever the machine has besides.
      environment: { OPENMAAS_NODE: process.execPath },
    }
  }

  /** For what is not measured. @returns what it printed */
  run(repository: string, ...parameters: readonly string[]): unknown {
    const command = this.command(repository, ...parameters)
    const child = spawnSync(command.file, command.parameters, {
      encoding: 'utf8',
      env: { ...process.env, ...command.environment },
    })
    if (child.status !== 0) throw new Error(`openmaas ${parameters[0]}: ${child.stderr}`)
    return JSON.parse(child.stdout)
  }

  async init(repository: string): Promise<void> {
    await measure(this.command(repository, 'pool', 'init', repository))
  }

  backup(repository: string, source: string, kind: SourceKind): Command {
    if (kind === 'tree') return this.command(repository, 'backup', source)
    return this.command(repository, 'backup', '--volume', `${source}/${IMAGE_NAME}`)
  }

  restore(repository: string, target: string): Command {
    return this.command(repository, 'restore', 'latest', '--to', target)
  }
}
