/** From the words of a command line to the command they mean. */
import { MaasError } from '@openmaas/kernel/errors'
import { nearest } from './input.ts'
import type { CommandSpec } from './spec.ts'
import { COMMANDS, GLOBAL_OPTIONS } from './tree.ts'

export interface Resolved {
  /** Undefined when no word was given at all. */
  readonly command: CommandSpec | undefined
  /** All words but those that name the command. */
  readonly rest: readonly string[]
}

/** Words in the longest name of a command. */
const WORDS_MAX = 3

/**
 * Global options may stand before the command.
 *
 * @throws MaasError USAGE for an unknown command, with what was probably meant
 */
export function resolveCommand(args: readonly string[]): Resolved {
  const start = firstWord(args)
  const before = args.slice(0, start)
  const words = args.slice(start, start + WORDS_MAX)
  if (words.length === 0) return { command: undefined, rest: before }
  for (let count = words.length; count > 0; count -= 1) {
    const path = words.slice(0, count).join(' ')
    const command = COMMANDS.find((candidate) => candidate.path === path)
    if (command !== undefined) return { command, rest: [...before, ...args.slice(start + count)] }
  }
  if (args.includes('--help') || args.includes('-h')) {
    const group = commandsBelow(words[0]!)
    if (group.length > 0) return { command: findHelp(), rest: [...before, words[0]!] }
  }
  throw unknownCommand(words)
}

function findHelp(): CommandSpec {
  return COMMANDS.find((candidate) => candidate.path === 'help')!
}

function firstWord(args: readonly string[]): number {
  let i = 0
  while (i < args.length && args[i]!.startsWith('-') && args[i] !== '--') {
    const option = GLOBAL_OPTIONS.find((candidate) => `--${candidate.name}` === args[i])
    i += option?.value === undefined ? 1 : 2
  }
  return Math.min(i, args.length)
}

/** Commands whose name begins with these words: `pool` → all of the pool. */
export function commandsBelow(words: string): readonly CommandSpec[] {
  return COMMANDS.filter((candidate) => candidate.path.startsWith(`${words} `))
}

export function unknownCommand(words: readonly string[]): MaasError {
  const group = commandsBelow(words[0]!)
  if (group.length > 0) {
    const verbs = group.map((candidate) => candidate.path)
    const message = `"${words[0]}" wants one of: ${verbs.join(', ')}`
    return new MaasError('USAGE', message, { commands: verbs })
  }
  const near = nearest(
    words[0]!,
    COMMANDS.map((candidate) => candidate.path.split(' ')[0]!),
  )
  const suggestion = near === undefined ? '' : `; did you mean "${near}"?`
  return new MaasError('USAGE', `unknown command "${words[0]}"${suggestion}`, { word: words[0] })
}
