/**
 * Directories that go away with the test: `using site = new TemporaryDirectory()`, or `dispose`
 * in afterEach.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const MEMORY = '/dev/shm'

export interface TemporaryDirectoryOptions {
  /** In memory where the machine has /dev/shm: for many small writes. Default false. */
  readonly inMemory?: boolean
}

export class TemporaryDirectory implements Disposable {
  readonly path: string

  constructor(options: TemporaryDirectoryOptions = {}) {
    const parent = options.inMemory === true && existsSync(MEMORY) ? MEMORY : tmpdir()
    this.path = mkdtempSync(join(parent, 'openmaas-test-'))
  }

  /** A path beneath it. */
  join(...names: readonly string[]): string {
    return join(this.path, ...names)
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true })
  }

  dispose(): void {
    this[Symbol.dispose]()
  }
}
