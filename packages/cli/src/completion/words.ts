/** What may follow the words of a command line: shared by the completion scripts. */
import { COMMANDS, GLOBAL_OPTIONS } from '../program/tree.ts'

/** Every beginning of a command's name: `pool`, `pool key`, `pool key add`… */
export function commandPrefixes(): string[] {
  const prefixes = new Set<string>()
  for (const { path } of COMMANDS) {
    const words = path.split(' ')
    for (let count = 1; count <= words.length; count += 1)
      prefixes.add(words.slice(0, count).join(' '))
  }
  return [...prefixes]
}

/** Subcommands, fixed arguments and options after this beginning of a command. */
export function wordsAfter(path: string): string[] {
  const words: string[] = subcommands(path)
  const command = COMMANDS.find((candidate) => candidate.path === path)
  const fixed = command?.arguments.completes
  if (fixed === 'command') words.push(...subcommands(''), 'exit-codes', 'environment')
  else if (fixed !== undefined && typeof fixed !== 'string') words.push(...fixed)
  const options = [...(command?.options ?? []), ...GLOBAL_OPTIONS]
  return [...words, ...options.map((option) => `--${option.name}`)]
}

/** The next words of commands that begin with these. */
export function subcommands(path: string): string[] {
  const depth = path === '' ? 0 : path.split(' ').length
  const below = commandPrefixes().filter(
    (prefix) =>
      prefix.split(' ').length === depth + 1 && (path === '' || prefix.startsWith(`${path} `)),
  )
  return below.map((prefix) => prefix.split(' ').at(-1)!)
}
