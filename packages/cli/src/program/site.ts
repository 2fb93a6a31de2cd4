/** What a command may touch: made once by run.ts, or by a test. */
import type { Clock } from '@openmaas/kernel/clock'
import type { Language } from '../messages/language.ts'
import type { Text } from '../messages/text.ts'
import type { Output } from './output.ts'
import type { Settings } from './settings.ts'

export interface Site {
  readonly out: Output
  readonly text: Text
  readonly language: Language
  readonly settings: Settings
  readonly clock: Clock
  /** Directory that relative paths start from. */
  readonly directory: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** Aborted by SIGINT, SIGTERM and SIGHUP, with a MaasError CANCELLED as the reason. */
  readonly signal: AbortSignal
}
