/** Commands that run the roles of the product: server, agent, node. */
import type { CommandSpec, OptionSpec } from './spec.ts'

const NONE = { usage: '', countMin: 0, countMax: 0 } as const
const CONFIG: OptionSpec = {
  name: 'config',
  value: '<file>',
  completes: 'file',
  summary: 'option.config',
}
const DATA: OptionSpec = {
  name: 'data',
  value: '<dir>',
  completes: 'directory',
  summary: 'option.data',
}
const LOG_OPTIONS: readonly OptionSpec[] = [
  {
    name: 'log-level',
    value: '<level>',
    completes: ['trace', 'debug', 'info', 'warn', 'error', 'silent'],
    summary: 'option.log-level',
  },
  {
    name: 'log-format',
    value: '<form>',
    completes: ['auto', 'json', 'human'],
    summary: 'option.log-format',
  },
]

/** What this machine lets the server do with it. */
const AGENT_OPTIONS: readonly OptionSpec[] = [
  {
    name: 'allow-restore',
    value: '<yes|no>',
    completes: ['yes', 'no'],
    summary: 'option.allow-restore',
  },
  {
    name: 'allow-mount',
    value: '<yes|no>',
    completes: ['yes', 'no'],
    summary: 'option.allow-mount',
  },
  { name: 'paths-only', value: '<dir,…>', summary: 'option.paths-only' },
]

/** Flags of the settings in serve/settings.ts, under the same names. */
const SERVER_OPTIONS: readonly OptionSpec[] = [
  CONFIG,
  DATA,
  { name: 'listen', value: '<host:port>', summary: 'option.listen' },
  { name: 'http', summary: 'option.http' },
  { name: 'names', value: '<name,…>', summary: 'option.names' },
  { name: 'channel-listen', value: '<host:port>', summary: 'option.channel-listen' },
  { name: 'data-listen', value: '<host:port>', summary: 'option.data-listen' },
  { name: 'nbd-listen', value: '<host:port>', summary: 'option.nbd-listen' },
  {
    name: 'catalog-url-file',
    value: '<file>',
    completes: 'file',
    summary: 'option.catalog-url-file',
  },
  { name: 'no-pool', summary: 'option.no-pool' },
  { name: 'metrics-public', summary: 'option.metrics-public' },
  {
    name: 'console-root',
    value: '<dir>',
    completes: 'directory',
    summary: 'option.console-root',
  },
  ...AGENT_OPTIONS,
  ...LOG_OPTIONS,
]

export const ROLE_COMMANDS: readonly CommandSpec[] = [
  {
    path: 'serve',
    arguments: NONE,
    options: SERVER_OPTIONS,
    summary: 'serve.summary',
    help: 'serve.help',
    examples: [
      'serve',
      'serve --data /srv/openmaas --http',
      'serve --listen 0.0.0.0:8730 --channel-listen 0.0.0.0:8731 --names backup.example.com',
    ],
    load: () => import('../commands/serve.ts'),
  },
]
