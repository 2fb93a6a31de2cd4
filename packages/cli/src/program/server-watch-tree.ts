/** Commands of a server that watch it, and those for its whole configuration. */
import type { CommandSpec, OptionSpec, Run } from './spec.ts'
import { ENABLE, filter, LABEL, LIST, onServer, REASON, TTL } from './server-options.ts'

const watching = async (
  name: keyof typeof import('../server-client/verbs/watching.ts'),
): Promise<Run> => (await import('../server-client/verbs/watching.ts'))[name]
const system = async (
  name: keyof typeof import('../server-client/verbs/system.ts'),
): Promise<Run> => (await import('../server-client/verbs/system.ts'))[name]

const NOTE: OptionSpec = { name: 'note', value: '<text>', summary: 'server.option.note' }
const TOPICS = [
  'jobs',
  'points',
  'sources',
  'hosts',
  'pools',
  'media',
  'virtual-databases',
  'alerts',
  'audit',
  'policies',
]
const TOPIC: OptionSpec = {
  name: 'topic',
  value: '<topic>',
  many: true,
  completes: TOPICS,
  summary: 'server.option.topic',
}

const WATCHING: readonly CommandSpec[] = [
  onServer({
    path: 'alert list',
    options: [
      filter('state', '<state>', ['firing', 'resolved']),
      filter('severity', '<severity>', ['info', 'warning', 'critical']),
      LABEL,
      ...LIST,
    ],
    summary: 'server.alert-list',
    examples: ['alert list --state firing -o wide'],
    run: () => watching('listAlerts'),
  }),
  onServer({
    path: 'alert show',
    usage: '<alert>',
    summary: 'server.alert-show',
    examples: ['alert show alr_01KD…'],
    run: () => watching('showAlert'),
  }),
  onServer({
    path: 'alert ack',
    usage: '<alert>',
    options: [NOTE],
    summary: 'server.alert-ack',
    examples: ["alert ack alr_01KD… --note 'disk ordered'"],
    run: () => watching('acknowledge'),
  }),
  onServer({
    path: 'alert silence',
    usage: '<alert>',
    options: [TTL, REASON],
    summary: 'server.alert-silence',
    help: 'server.alert-silence.help',
    examples: ["alert silence alr_01KD… --ttl 4h --reason 'disks are being replaced'"],
    run: () => watching('silence'),
  }),
  onServer({
    path: 'alert unsilence',
    usage: '<alert>',
    summary: 'server.alert-unsilence',
    examples: ['alert unsilence alr_01KD…'],
    run: () => watching('unsilence'),
  }),
  onServer({
    path: 'events',
    options: [TOPIC, { name: 'after', value: '<n>', summary: 'server.option.after' }],
    summary: 'server.events',
    help: 'server.events.help',
    examples: ['events', 'events --topic jobs --topic alerts -o json'],
    run: () => watching('events'),
  }),
  onServer({
    path: 'audit list',
    options: [
      filter('actor', '<actor>'),
      filter('object', '<id>'),
      filter('action', '<operation>'),
      filter('outcome', '<outcome>', ['ok', 'refused', 'failed']),
      filter('from', '<time>'),
      filter('until', '<time>'),
      ...LIST,
    ],
    summary: 'server.audit-list',
    examples: ['audit list --outcome refused', 'audit list --object src_01KD…'],
    run: () => watching('listAudit'),
  }),
  onServer({
    path: 'audit verify',
    summary: 'server.audit-verify',
    help: 'server.audit-verify.help',
    examples: ['audit verify'],
    run: () => watching('verifyAudit'),
  }),
  onServer({
    path: 'audit export',
    options: [
      {
        name: 'format',
        value: '<json|csv|syslog>',
        completes: ['json', 'csv', 'syslog'],
        summary: 'server.option.audit-format',
      },
      filter('from', '<time>'),
      filter('until', '<time>'),
    ],
    summary: 'server.audit-export',
    examples: ['audit export --format csv --from 2026-01-01 > audit.csv'],
    run: () => watching('exportAudit'),
  }),
  onServer({
    path: 'webhook list',
    options: LIST,
    summary: 'server.webhook-list',
    examples: ['webhook list'],
    run: () => watching('listWebhooks'),
  }),
  onServer({
    path: 'webhook show',
    usage: '<webhook>',
    summary: 'server.webhook-show',
    examples: ['webhook show chat'],
    run: () => watching('showWebhook'),
  }),
  onServer({
    path: 'webhook add',
    usage: '<name> <url>',
    options: [TOPIC],
    summary: 'server.webhook-add',
    examples: ['webhook add chat https://chat.example/hook --topic alerts'],
    run: () => watching('addWebhook'),
  }),
  onServer({
    path: 'webhook change',
    usage: '<webhook>',
    options: [TOPIC, { name: 'url', value: '<url>', summary: 'server.option.url' }, ...ENABLE],
    summary: 'server.webhook-change',
    examples: ['webhook change chat --disable'],
    run: () => watching('changeWebhook'),
  }),
  onServer({
    path: 'webhook remove',
    usage: '<webhook>',
    summary: 'server.webhook-remove',
    examples: ['webhook remove chat'],
    run: () => watching('removeWebhook'),
  }),
  onServer({
    path: 'webhook test',
    usage: '<webhook>',
    summary: 'server.webhook-test',
    examples: ['webhook test chat'],
    run: () => watching('testWebhook'),
  }),
  onServer({
    path: 'webhook deliveries',
    usage: '<webhook>',
    options: [filter('state', '<state>', ['waiting', 'delivered', 'failed']), ...LIST],
    summary: 'server.webhook-deliveries',
    examples: ['webhook deliveries chat --state failed'],
    run: () => watching('deliveries'),
  }),
  onServer({
    path: 'webhook redeliver',
    usage: '<webhook> <delivery>',
    summary: 'server.webhook-redeliver',
    examples: ['webhook redeliver chat dlv_01KD…'],
    run: () => watching('redeliver'),
  }),
]

const CONFIGURATION: readonly CommandSpec[] = [
  onServer({
    path: 'apply',
    options: [
      {
        name: 'file',
        short: 'f',
        value: '<file>',
        many: true,
        completes: 'file',
        summary: 'server.option.file',
      },
      { name: 'dry-run', summary: 'option.dry-run' },
      REASON,
      { name: 'approval', value: '<id>', summary: 'server.option.approval' },
    ],
    summary: 'server.apply',
    help: 'server.apply.help',
    examples: ['apply -f site.yaml --dry-run', 'apply -f site.yaml'],
    run: () => system('applyDocuments'),
  }),
  onServer({
    path: 'export',
    usage: '[kind…]',
    summary: 'server.export',
    help: 'server.export.help',
    examples: ['export > site.yaml', 'export policies sources'],
    run: () => system('exportDocuments'),
  }),
  onServer({
    path: 'api',
    usage: '<operation> [name=value…]',
    options: [
      {
        name: 'body',
        value: '<file>',
        completes: 'file',
        summary: 'server.option.body',
      },
      { name: 'field', value: '<name=text>', many: true, summary: 'server.option.field' },
      { name: 'if-match', value: '<etag>', summary: 'server.option.if-match' },
    ],
    summary: 'server.api',
    help: 'server.api.help',
    examples: ['api getForecast', 'api listJobs limit=5 sort=-endedAt'],
    run: () => system('api'),
  }),
  onServer({
    path: 'support bundle',
    options: [{ name: 'to', value: '<file>', completes: 'file', summary: 'server.option.to-file' }],
    summary: 'server.support-bundle',
    examples: ['support bundle --to support.json.gz'],
    run: () => system('supportBundle'),
  }),
]

const OFFLINE: readonly OptionSpec[] = [
  { name: 'config', value: '<file>', completes: 'file', summary: 'option.config' },
  { name: 'data', value: '<dir>', completes: 'directory', summary: 'option.data' },
  {
    name: 'catalog-url-file',
    value: '<file>',
    completes: 'file',
    summary: 'option.catalog-url-file',
  },
]
/** Bricks of one pool lie in it; nobody has more pools on one machine. */
const POOL_MAX = 1000
const FILE = { usage: '<file>', countMin: 1, countMax: 1, completes: 'file' } as const

/** These need the server to be stopped: they open its catalog themselves. */
const CATALOG: readonly CommandSpec[] = [
  {
    path: 'catalog rebuild',
    arguments: { usage: '[pool…]', countMin: 0, countMax: POOL_MAX, completes: 'directory' },
    options: OFFLINE,
    summary: 'catalog.rebuild',
    help: 'catalog.rebuild.help',
    examples: ['catalog rebuild', 'catalog rebuild /disk1/pool --passphrase-file secret'],
    load: async () => ({ run: (await import('../commands/catalog.ts')).rebuild }),
  },
  {
    path: 'catalog export',
    arguments: FILE,
    options: OFFLINE,
    summary: 'catalog.export',
    examples: ['catalog export catalog.jsonl'],
    load: async () => ({ run: (await import('../commands/catalog.ts')).exportTo }),
  },
  {
    path: 'catalog import',
    arguments: FILE,
    options: OFFLINE,
    summary: 'catalog.import',
    help: 'catalog.import.help',
    examples: ['catalog import catalog.jsonl --catalog-url-file postgres-url'],
    load: async () => ({ run: (await import('../commands/catalog.ts')).importFrom }),
  },
]

export const WATCH_COMMANDS: readonly CommandSpec[] = [...WATCHING, ...CONFIGURATION, ...CATALOG]
