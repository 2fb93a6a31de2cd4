/** What a command looks like from outside: enough for parsing, help and completion. */
import type { englishGroupsHelp } from '../messages/english-groups.ts'
import type { englishHelp } from '../messages/english-help.ts'
import type { englishServerHelp } from '../messages/english-server-help.ts'
import type { englishRolesHelp } from '../messages/english-roles.ts'
import type { Input } from './input.ts'
import type { Site } from './site.ts'

/** A text without placeholders. */
export type HelpKey =
  | keyof typeof englishHelp
  | keyof typeof englishServerHelp
  | keyof typeof englishGroupsHelp
  | keyof typeof englishRolesHelp

export interface OptionSpec {
  /** Long name without dashes. */
  readonly name: string
  /** One letter. */
  readonly short?: string
  /** What stands for the value in the usage line; absent for a switch. */
  readonly value?: string
  /**
   * The value may be left out, and then counts as empty. After a blank it is taken as the value
   * only when it matches: `--nbd`, `--nbd=ADDRESS`, `--nbd ADDRESS`.
   */
  readonly optionalValue?: RegExp
  /** May be given several times. */
  readonly many?: boolean
  /** What completion offers for the value. */
  readonly completes?: 'file' | 'directory' | readonly string[]
  readonly summary: HelpKey
}

export interface ArgumentsSpec {
  /** As in the usage line: `<point> [path…]`. */
  readonly usage: string
  readonly countMin: number
  readonly countMax: number
  readonly completes?: 'file' | 'directory' | 'command' | readonly string[]
}

/** @returns the exit code; nothing is 0 */
export type Run = (input: Input, site: Site) => Promise<number | void>

export interface CommandSpec {
  /** `pool init` */
  readonly path: string
  readonly arguments: ArgumentsSpec
  readonly options: readonly OptionSpec[]
  readonly summary: HelpKey
  /** Absent where the summary says it all. */
  readonly help?: HelpKey
  /** Command lines without the program's name. */
  readonly examples: readonly string[]
  readonly load: () => Promise<{ readonly run: Run }>
}
