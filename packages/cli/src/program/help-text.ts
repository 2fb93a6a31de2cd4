/** The pages that help shows, made from the command tree. */
import { padEnd, displayWidth } from '../format/width.ts'
import type { Text } from '../messages/text.ts'
import type { CommandSpec, OptionSpec } from './spec.ts'
import { COMMAND_GROUPS, GLOBAL_OPTIONS } from './tree.ts'

const INDENT = '  '

export function usageLine(command: CommandSpec, text: Text): string {
  const options = command.options.length === 0 ? '' : text('help.optionsWord')
  return ['openmaas', command.path, command.arguments.usage, options]
    .filter((word) => word !== '')
    .join(' ')
}

function optionLabel(option: OptionSpec): string {
  const value =
    option.value === undefined
      ? ''
      : `${option.optionalValue === undefined ? ' ' : ''}${option.value}`
  return `${option.short === undefined ? '    ' : `-${option.short}, `}--${option.name}${value}`
}

function pairs(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([label]) => displayWidth(label)))
  return rows.map(([label, summary]) => `${INDENT}${padEnd(label, width)}  ${summary}`)
}

export function optionRows(options: readonly OptionSpec[], text: Text): string[] {
  return pairs(options.map((option) => [optionLabel(option), text(option.summary)] as const))
}

/** One command. */
export function commandHelp(command: CommandSpec, text: Text): string[] {
  const lines = [`${text('help.usage')} ${usageLine(command, text)}`, '', text(command.summary), '']
  if (command.help !== undefined) lines.push(text(command.help), '')
  if (command.options.length > 0) {
    lines.push(text('help.options'), ...optionRows(command.options, text), '')
  }
  lines.push(text('help.globals'), ...optionRows(GLOBAL_OPTIONS, text), '')
  lines.push(text('help.examples'))
  lines.push(...command.examples.map((example) => `${INDENT}openmaas ${example}`))
  return lines
}

/** All commands, one line each. */
export function overview(text: Text): string[] {
  const lines = [text('help.intro'), '']
  for (const group of COMMAND_GROUPS) {
    lines.push(`${text(group.title)}:`, ...commandRows(group.commands, text), '')
  }
  lines.push(text('help.more'))
  return lines
}

export function commandRows(commands: readonly CommandSpec[], text: Text): string[] {
  const label = (command: CommandSpec): string =>
    `${command.path} ${command.arguments.usage}`.trimEnd()
  return pairs(commands.map((command) => [label(command), text(command.summary)] as const))
}
