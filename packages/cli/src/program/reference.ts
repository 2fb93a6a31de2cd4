/** Renders docs/reference/cli.md and its Chinese twin from the command tree and the texts. */
import type { Language } from '../messages/language.ts'
import { loadText, type Text } from '../messages/text.ts'
import { optionRows, usageLine } from './help-text.ts'
import type { CommandSpec } from './spec.ts'
import { COMMAND_GROUPS, COMMANDS, GLOBAL_OPTIONS } from './tree.ts'

/** Written by "npm run generate". */
export const CLI_PAGES: Readonly<Record<Language, string>> = {
  en: 'docs/reference/cli.md',
  zh: 'docs/reference/cli.zh-CN.md',
}

const ERROR_SHAPE =
  '{"error":{"code":"POOL_NOT_FOUND","message":"…","details":{},"hint":"…","exitCode":3}}'

export async function renderCliPage(language: Language): Promise<string> {
  const text = await loadText(language)
  const lines = [
    `# ${text('reference.title')}`,
    '',
    text('reference.generated'),
    '',
    text('help.intro'),
    '',
    ...COMMAND_GROUPS.flatMap((group) => groupList(group.commands, text(group.title), text)),
    `## ${text('help.globals').replace(/[:\uFF1A]$/, '')}`,
    '',
    ...fenced(optionRows(GLOBAL_OPTIONS, text)),
    ...COMMANDS.flatMap((command) => section(command, text)),
    ...topic(text('topic.exit-codes')),
    ...topic(text('topic.environment')),
    `## ${text('reference.jsonTitle')}`,
    '',
    text('reference.json'),
    '',
    ...fenced([ERROR_SHAPE], 'json'),
  ]
  return lines.join('\n')
}

function groupList(commands: readonly CommandSpec[], title: string, text: Text): string[] {
  const rows = commands.map(
    ({ path, summary }) => `- [${path}](#openmaas-${path.replaceAll(' ', '-')}): ${text(summary)}`,
  )
  return [`**${title}**`, '', ...rows, '']
}

function section(command: CommandSpec, text: Text): string[] {
  const examples = command.examples.map((example) => `openmaas ${example}`)
  return [
    `## openmaas ${command.path}`,
    '',
    `${text(command.summary)}.`,
    '',
    ...fenced([usageLine(command, text)]),
    ...(command.help === undefined ? [] : [text(command.help), '']),
    ...(command.options.length > 0 ? fenced(optionRows(command.options, text)) : []),
    ...fenced(examples, 'sh'),
  ]
}

/** A topic of help: its first line is the title, the rest is laid out with blanks. */
function topic(page: string): string[] {
  const [title, ...rest] = page.split('\n')
  return [`## ${title}`, '', ...fenced(rest.join('\n').replace(/^\n+/, '').split('\n'), 'text')]
}

function fenced(lines: readonly string[], language = ''): string[] {
  return [`\`\`\`${language}`, ...lines, '```', '']
}
