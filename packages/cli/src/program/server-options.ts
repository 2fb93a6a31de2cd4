/** Options that the commands of a server share, and how such a command is written down. */
import type { CommandSpec, HelpKey, OptionSpec, Run } from './spec.ts'

export const LABEL: OptionSpec = {
  name: 'label',
  value: '<key=value>',
  many: true,
  summary: 'server.option.label',
}
export const LIMIT: OptionSpec = { name: 'limit', value: '<n>', summary: 'server.option.limit' }
export const RATE: OptionSpec = { name: 'rate', value: '<size>', summary: 'server.option.rate' }
export const TTL: OptionSpec = { name: 'ttl', value: '<time>', summary: 'server.option.ttl' }
export const REASON: OptionSpec = {
  name: 'reason',
  value: '<text>',
  summary: 'server.option.reason',
}
export const NAME: OptionSpec = { name: 'name', value: '<name>', summary: 'server.option.name' }
export const AT: OptionSpec = { name: 'at', value: '<time>', summary: 'server.option.at' }
/** Of a database: any second, not only that of a point. */
export const AT_SECOND: OptionSpec = { ...AT, summary: 'server.option.moment' }
export const POOL_NAME: OptionSpec = {
  name: 'pool-name',
  value: '<pool>',
  summary: 'server.option.pool-name',
}
export const ENABLE: readonly OptionSpec[] = [
  { name: 'enable', summary: 'server.option.enable' },
  { name: 'disable', summary: 'server.option.disable' },
]

const FORMATS = ['table', 'wide', 'json', 'yaml', 'name']
const OUTPUT: readonly OptionSpec[] = [
  {
    name: 'output',
    short: 'o',
    value: '<format>',
    completes: FORMATS,
    summary: 'server.option.output',
  },
  { name: 'no-headers', summary: 'server.option.no-headers' },
]
/** Of commands that begin a job. */
export const WAIT: readonly OptionSpec[] = [
  { name: 'wait', summary: 'server.option.wait' },
  { name: 'no-wait', summary: 'server.option.no-wait' },
  { name: 'timeout', value: '<time>', summary: 'server.option.timeout' },
]
export const DANGER: readonly OptionSpec[] = [
  { name: 'dry-run', summary: 'option.dry-run' },
  { name: 'yes', short: 'y', summary: 'option.yes' },
  REASON,
  { name: 'approval', value: '<id>', summary: 'server.option.approval' },
]

/** `filter('host', '<host>')` of a list. */
export function filter(name: string, value: string, completes?: readonly string[]): OptionSpec {
  const summary = `server.filter.${name}` as HelpKey
  return { name, value, summary, ...(completes !== undefined && { completes }) }
}
export const LIST: readonly OptionSpec[] = [
  LIMIT,
  { name: 'sort', value: '<column>', summary: 'server.option.sort' },
]

export interface ServerCommand {
  readonly path: string
  /** As in the usage line; those in brackets may be left out. */
  readonly usage?: string
  readonly options?: readonly OptionSpec[]
  readonly summary: HelpKey
  readonly help?: HelpKey
  readonly examples: readonly string[]
  readonly run: () => Promise<Run>
}

/** Shell globs of a directory with many files may stand for arguments. */
const MANY = 10_000

/** A command of a server, with the options that all of them have. */
export function onServer(command: ServerCommand): CommandSpec {
  const { path, usage = '', options = [], summary, help, examples, run } = command
  const words = usage.split(' ').filter((word) => word !== '')
  const needed = words.filter((word) => !word.startsWith('[')).length
  const isOpen = words.some((word) => word.includes('…'))
  return {
    path,
    arguments: { usage, countMin: needed, countMax: isOpen ? MANY : words.length },
    options: [...options, ...OUTPUT],
    summary,
    ...(help !== undefined && { help }),
    examples,
    load: async () => ({ run: await run() }),
  }
}
