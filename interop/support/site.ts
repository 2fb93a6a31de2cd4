/** A pool in a directory of its own with everything a test plugs; all of it goes away again. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { CommandLine } from './command-line.ts'

export const PASSPHRASE = 'correct horse battery staple'

export interface SiteOptions {
  /** Two directories, each pack on both. */
  readonly mirrored?: boolean
  readonly inMemory?: boolean
}

export class Site implements AsyncDisposable {
  readonly #directory: TemporaryDirectory
  readonly path: string
  readonly bricks: readonly string[]
  readonly passphraseFile: string
  readonly cli: CommandLine

  private constructor(options: SiteOptions) {
    this.#directory = new TemporaryDirectory({ inMemory: options.inMemory ?? false })
    this.path = this.#directory.path
    this.bricks = (options.mirrored === true ? ['pool', 'pool2'] : ['pool']).map((name) =>
      this.join(name),
    )
    this.passphraseFile = this.join('passphrase')
    writeFileSync(this.passphraseFile, `${PASSPHRASE}\n`, { mode: 0o600 })
    this.cli = this.commandLine(this.pool)
  }

  /** The command on another pool with the same passphrase. */
  commandLine(pool: string): CommandLine {
    const compileCache = this.join('compile-cache')
    return new CommandLine({ pool, passphraseFile: this.passphraseFile, compileCache })
  }

  static async make(options: SiteOptions = {}): Promise<Site> {
    const site = new Site(options)
    const redundancy = options.mirrored === true ? ['--redundancy', 'mirror:2'] : []
    await site.cli.json(['pool', 'init', ...site.bricks, ...redundancy])
    return site
  }

  get pool(): string {
    return this.bricks[0]!
  }

  join(...names: readonly string[]): string {
    return join(this.path, ...names)
  }

  mediumDirectory(id: string): string {
    return join(this.pool, 'media', id)
  }

  /** Makes a directory in it. */
  folder(name: string): string {
    const path = this.join(name)
    mkdirSync(path, { recursive: true })
    return path
  }

  async ejectAll(): Promise<void> {
    for (const medium of await this.cli.media()) {
      await this.cli.json(['eject', medium.id, '--force'])
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.ejectAll()
    this.#directory.dispose()
  }
}
