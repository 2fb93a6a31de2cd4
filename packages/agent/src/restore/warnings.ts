/** What could not be restored as it was: kept by path up to a limit, counted beyond. */
import type { RestoreWarning } from './types.ts'

export const WARNINGS_KEPT_MAX = 1000

export class RestoreWarnings {
  readonly kept: RestoreWarning[] = []
  count = 0

  /** @param path bytes as latin1 characters */
  add(path: string, message: string): void {
    this.count += 1
    if (this.kept.length < WARNINGS_KEPT_MAX) {
      this.kept.push({ path: Buffer.from(path, 'latin1').toString('utf8'), message })
    }
  }
}
