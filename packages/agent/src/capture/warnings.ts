/** What could not be captured as it stands: kept by name up to a limit, counted beyond. */
import { errnoName } from '@openmaas/kernel/fs-errors'
import { MaasError } from '@openmaas/kernel/errors'
import { E } from '@openmaas/kernel/posix/constants'
import type { LaneCounters } from './counters.ts'
import { type CaptureWarning, WARNINGS_KEPT_MAX } from './types.ts'

/** Errors that are the machine's, not the file's: going on would only spoil the point. */
const FATAL = new Set([E.EMFILE, E.ENFILE, E.ENOMEM])
const GONE = new Set([E.ENOENT, E.ENOTDIR, E.ESTALE, E.ELOOP, E.EXDEV])

export class Warnings {
  readonly kept: CaptureWarning[] = []
  count = 0
  readonly #counters: LaneCounters

  constructor(counters: LaneCounters) {
    this.#counters = counters
  }

  add(kind: CaptureWarning['kind'], path: string, message: string): void {
    this.count += 1
    this.#counters.add('warnings', 1)
    if (this.kept.length < WARNINGS_KEPT_MAX) {
      this.kept.push({ kind, path: Buffer.from(path, 'latin1').toString('utf8'), message })
    }
  }

  /**
   * A system call on an entry of the source has failed.
   *
   * @param errno positive
   * @throws MaasError FS_LIMIT when the machine, not the file, is the cause
   */
  failed(errno: number, call: string, path: string): void {
    const name = errnoName(errno)
    if (FATAL.has(errno)) {
      throw new MaasError('FS_LIMIT', `${call}: ${name}`, { errno: name, path })
    }
    if (GONE.has(errno))
      this.add(
        'vanished',
        path,
        `was there when its directory was listed, then not: ${call} ${name}`,
      )
    else this.add('unreadable', path, `cannot be read: ${call} ${name}`)
  }
}
