/** Completion for bash: one case per command, without any package besides bash itself. */
import { COMMANDS, GLOBAL_OPTIONS } from '../program/tree.ts'
import type { CommandSpec, OptionSpec } from '../program/spec.ts'
import { commandPrefixes, wordsAfter } from './words.ts'

export function bashCompletion(): string {
  return `# bash completion for openmaas
_openmaas() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]}
  local path= word i=1
  while [ "$i" -lt "$COMP_CWORD" ]; do
    word=\${COMP_WORDS[i]}
    case "$path|$word" in
${commandPrefixes()
  .map((path) => `      '${parent(path)}|${path.split(' ').at(-1)}') path='${path}' ;;`)
  .join('\n')}
    esac
    i=$((i + 1))
  done
  local words= files=
  case "$path|$previous" in
${optionValues().join('\n')}
  esac
  if [ -z "$words$files" ]; then
    case "$path" in
${['', ...commandPrefixes()].map((path) => commandCase(path)).join('\n')}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  case $files in
    directory) COMPREPLY+=($(compgen -d -- "$current")) ;;
    file) COMPREPLY+=($(compgen -f -- "$current")) ;;
  esac
}
complete -o filenames -F _openmaas openmaas`
}

function parent(path: string): string {
  return path.split(' ').slice(0, -1).join(' ')
}

function optionValues(): string[] {
  const lines: string[] = []
  const add = (prefix: string, option: OptionSpec): void => {
    if (option.value === undefined || option.optionalValue !== undefined) return
    lines.push(`    ${prefix}|--${option.name}') ${assign(option.completes) || 'return'} ;;`)
  }
  for (const command of COMMANDS) {
    for (const option of command.options) add(`'${command.path}`, option)
  }
  // The star stands outside the quotes: any command.
  for (const option of GLOBAL_OPTIONS) add("*'", option)
  return lines
}

function assign(completes: OptionSpec['completes'] | 'command'): string {
  if (completes === undefined || completes === 'command') return ''
  return typeof completes === 'string' ? `files=${completes}` : `words='${completes.join(' ')}'`
}

function commandCase(path: string): string {
  const command: CommandSpec | undefined = COMMANDS.find((candidate) => candidate.path === path)
  const words = wordsAfter(path).join(' ')
  const files = command?.arguments.completes
  const also = files === 'file' || files === 'directory' ? `; files=${files}` : ''
  return `      '${path}') words='${words}'${also} ;;`
}
