/** Completion for fish: one line per command and option, with its summary. */
import type { Text } from '../messages/text.ts'
import { COMMANDS, GLOBAL_OPTIONS } from '../program/tree.ts'
import type { OptionSpec } from '../program/spec.ts'
import { subcommands } from './words.ts'

const quote = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`

/** True when the words so far, without options, are exactly these. */
const CONDITION = `function __openmaas_at
    set -l words (commandline -opc | string match -v -- '-*')
    set -e words[1]
    test "$words" = "$argv"
end`

/** True when the words so far begin with these: options and arguments of a command. */
const BELOW = `function __openmaas_below
    set -l words (commandline -opc | string match -v -- '-*')
    set -e words[1]
    test (count $words) -ge (count $argv); and test "$words[1..(count $argv)]" = "$argv"
end`

export function fishCompletion(text: Text): string {
  const lines = ['# fish completion for openmaas', CONDITION, BELOW, 'complete -c openmaas -f']
  for (const word of subcommands('')) {
    const command = COMMANDS.find((candidate) => candidate.path === word)
    const summary = command === undefined ? '' : ` -d ${quote(text(command.summary))}`
    lines.push(`complete -c openmaas -n '__openmaas_at' -a ${word}${summary}`)
  }
  for (const command of COMMANDS) {
    const words = command.path.split(' ')
    if (words.length > 1) {
      const before = words.slice(0, -1).join(' ')
      const summary = quote(text(command.summary))
      lines.push(
        `complete -c openmaas -n '__openmaas_at ${before}' -a ${words.at(-1)} -d ${summary}`,
      )
    }
    const at = `-n '__openmaas_below ${command.path}'`
    const { completes } = command.arguments
    if (completes === 'file' || completes === 'directory')
      lines.push(`complete -c openmaas ${at} -F`)
    else if (completes !== undefined && typeof completes !== 'string') {
      lines.push(`complete -c openmaas ${at} -a ${quote(completes.join(' '))}`)
    }
    for (const option of command.options) lines.push(optionLine(option, ` ${at}`, text))
  }
  for (const option of GLOBAL_OPTIONS) lines.push(optionLine(option, '', text))
  return lines.join('\n')
}

function optionLine(option: OptionSpec, at: string, text: Text): string {
  const short = option.short === undefined ? '' : ` -s ${option.short}`
  let value = ''
  if (option.value !== undefined && option.optionalValue === undefined) {
    const { completes } = option
    if (completes === undefined) value = ' -x'
    else if (typeof completes === 'string') value = ' -r -F'
    else value = ` -x -a ${quote(completes.join(' '))}`
  }
  const summary = quote(text(option.summary))
  return `complete -c openmaas${at} -l ${option.name}${short}${value} -d ${summary}`
}
