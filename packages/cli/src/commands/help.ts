/** `openmaas help`, `--help`, and `openmaas` alone. */
import { MaasError } from '@openmaas/kernel/errors'
import { commandHelp, commandRows, overview } from '../program/help-text.ts'
import type { Input } from '../program/input.ts'
import { commandsBelow, unknownCommand } from '../program/resolve.ts'
import type { Site } from '../program/site.ts'
import type { CommandSpec } from '../program/spec.ts'
import { COMMANDS } from '../program/tree.ts'

const TOPICS = { 'exit-codes': 'topic.exit-codes', environment: 'topic.environment' } as const

export async function run(input: Input, site: Site): Promise<void> {
  showHelp(undefined, input.positionals, site)
}

/** @param command whose help is wanted; else `words` name a command, a group or a topic */
export function showHelp(
  command: CommandSpec | undefined,
  words: readonly string[],
  site: Site,
): number {
  const lines = command === undefined ? find(words, site) : commandHelp(command, site.text)
  if (site.out.json) site.out.value({ help: lines.join('\n') })
  else for (const line of lines) site.out.line(line)
  return 0
}

function find(words: readonly string[], { text }: Site): string[] {
  if (words.length === 0) return overview(text)
  const name = words.join(' ')
  const command = COMMANDS.find((candidate) => candidate.path === name)
  if (command !== undefined) return commandHelp(command, text)
  const group = commandsBelow(name)
  if (group.length > 0) return [text('help.commands'), ...commandRows(group, text)]
  if (Object.hasOwn(TOPICS, name)) return [text(TOPICS[name as keyof typeof TOPICS])]
  if (words.length === 1) throw unknownCommand(words)
  throw new MaasError('USAGE', `there is no help for "${name}"`, { words })
}
