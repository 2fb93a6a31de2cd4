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
const NAMES: OptionSpec = { name: 'names', value: '<name,…>', summary: 'option.names' }
const DATA_LISTEN: OptionSpec = {
  name: 'data-listen',
  value: '<host:port>',
  summary: 'option.data-listen',
}
const NBD_LISTEN: OptionSpec = {
  name: 'nbd-listen',
  value: '<host:port>',
  summary: 'option.nbd-listen',
}
const CATALOG_URL_FILE: OptionSpec = {
  name: 'catalog-url-file',
  value: '<file>',
  completes: 'file',
  summary: 'option.catalog-url-file',
}
const ROLE: OptionSpec = {
  name: 'role',
  value: '<server|agent|node>',
  completes: ['server', 'agent', 'node'],
  summary: 'option.config-role',
}
const SERVER = { usage: '<url>', countMin: 1, countMax: 1 } as const
const JOIN_OPTIONS: readonly OptionSpec[] = [
  { name: 'token', value: '<token>', summary: 'option.join-token' },
  { name: 'token-file', value: '<file>', completes: 'file', summary: 'option.join-token-file' },
  { name: 'fingerprint', value: '<sha256:…>', summary: 'option.join-fingerprint' },
  { name: 'name', value: '<name>', summary: 'option.join-name' },
  CONFIG,
  DATA,
]
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
  { name: 'plugins', value: '<dir>', completes: 'directory', summary: 'option.plugins' },
]

/** Flags of the settings in serve/settings.ts, under the same names. */
const SERVER_OPTIONS: readonly OptionSpec[] = [
  CONFIG,
  DATA,
  { name: 'listen', value: '<host:port>', summary: 'option.listen' },
  { name: 'http', summary: 'option.http' },
  NAMES,
  { name: 'channel-listen', value: '<host:port>', summary: 'option.channel-listen' },
  DATA_LISTEN,
  NBD_LISTEN,
  CATALOG_URL_FILE,
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
  {
    path: 'agent',
    arguments: NONE,
    options: [CONFIG, DATA, ...AGENT_OPTIONS, ...LOG_OPTIONS],
    summary: 'agent.summary',
    help: 'agent.help',
    examples: ['agent', 'agent --paths-only /srv,/home --allow-restore no'],
    load: () => import('../commands/agent.ts'),
  },
  {
    path: 'agent join',
    arguments: SERVER,
    options: JOIN_OPTIONS,
    summary: 'agent-join.summary',
    help: 'agent-join.help',
    examples: ['agent join https://backup.example.com:8731 --token K7Q --fingerprint sha256:5e0f'],
    load: () => import('../commands/agent-join.ts'),
  },
  {
    path: 'node',
    arguments: NONE,
    options: [CONFIG, DATA, NAMES, DATA_LISTEN, NBD_LISTEN, ...LOG_OPTIONS],
    summary: 'node.summary',
    help: 'node.help',
    examples: ['node', 'node --names store1.example.com'],
    load: () => import('../commands/node.ts'),
  },
  {
    path: 'node join',
    arguments: SERVER,
    options: JOIN_OPTIONS,
    summary: 'node-join.summary',
    help: 'node-join.help',
    examples: ['node join https://backup.example.com:8731 --token K7Q --fingerprint sha256:5e0f'],
    load: () => import('../commands/node-join.ts'),
  },
  {
    path: 'config check',
    arguments: NONE,
    options: [ROLE, CONFIG],
    summary: 'config-check.summary',
    help: 'config-check.help',
    examples: ['config check', 'config check --role agent --config ./agent.yaml'],
    load: () => import('../commands/config-check.ts'),
  },
  {
    path: 'config print',
    arguments: NONE,
    options: [
      ROLE,
      CONFIG,
      { name: 'effective', summary: 'option.config-effective' },
      { name: 'redact', summary: 'option.config-redact' },
    ],
    summary: 'config-print.summary',
    help: 'config-print.help',
    examples: ['config print --effective --redact'],
    load: () => import('../commands/config-print.ts'),
  },
  {
    path: 'server reset-admin',
    arguments: NONE,
    options: [CONFIG, DATA, CATALOG_URL_FILE],
    summary: 'server-reset-admin.summary',
    help: 'server-reset-admin.help',
    examples: ['server reset-admin'],
    load: () => import('../commands/server-reset-admin.ts'),
  },
]
