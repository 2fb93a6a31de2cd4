/** Commands of a server about databases and virtual databases. */
import type { CommandSpec, OptionSpec, Run } from './spec.ts'
import {
  AT_SECOND,
  DANGER,
  filter,
  LABEL,
  LIST,
  NAME,
  onServer,
  POOL_NAME,
  RATE,
  TTL,
  WAIT,
} from './server-options.ts'

const databases = async (
  name: keyof typeof import('../server-client/verbs/databases.ts'),
): Promise<Run> => (await import('../server-client/verbs/databases.ts'))[name]
const vdbs = async (name: keyof typeof import('../server-client/verbs/vdbs.ts')): Promise<Run> =>
  (await import('../server-client/verbs/vdbs.ts'))[name]

const life = async (
  name: Exclude<keyof typeof import('../server-client/verbs/vdb-life.ts'), 'recoverProduction'>,
): Promise<Run> => (await import('../server-client/verbs/vdb-life.ts'))[name]

const TO_HOST: OptionSpec = { name: 'to', value: '<host>', summary: 'server.option.to-host' }
const FORCE: OptionSpec = { name: 'force', summary: 'option.force' }
const DRY_RUN: OptionSpec = { name: 'dry-run', summary: 'option.dry-run' }
const YES: OptionSpec = { name: 'yes', short: 'y', summary: 'option.yes' }
const BOOKMARK: OptionSpec = {
  name: 'bookmark',
  value: '<bookmark>',
  summary: 'server.option.bookmark',
}
const FORMAT: OptionSpec = {
  name: 'format',
  value: '<form>',
  completes: ['env', 'url', 'jdbc', 'odbc', 'command'],
  summary: 'server.option.connection-format',
}
const PRODUCTION: readonly OptionSpec[] = [
  { name: 'on', value: '<host>', summary: 'server.option.staging-host' },
  { name: 'user', value: '<user>', summary: 'server.option.database-user' },
  {
    name: 'password-file',
    value: '<file>',
    completes: 'file',
    summary: 'server.option.database-password-file',
  },
  {
    name: 'tls',
    value: '<off|require|verify>',
    completes: ['off', 'require', 'verify'],
    summary: 'server.option.database-tls',
  },
  { name: 'ca-file', value: '<file>', completes: 'file', summary: 'server.option.ca-file' },
]
const ASSERT: OptionSpec = {
  name: 'assert',
  value: '<sql>',
  many: true,
  summary: 'server.option.assert',
}
const RETAINED: OptionSpec = {
  name: 'retained',
  value: '<size>',
  summary: 'server.option.retained',
}
const SELF_SERVICE: OptionSpec = {
  name: 'self-service',
  value: '<off|approval|on>',
  completes: ['off', 'approval', 'on'],
  summary: 'server.option.self-service',
}
const MOMENT: readonly OptionSpec[] = [
  AT_SECOND,
  { name: 'transaction', value: '<id>', summary: 'server.option.transaction' },
  { name: 'position', value: '<place>', summary: 'server.option.position' },
]
const VOLUME_MAX: OptionSpec = {
  name: 'volume-max',
  value: '<size>',
  summary: 'server.option.volume-max',
}
const INSTANCE: readonly OptionSpec[] = [
  TO_HOST,
  NAME,
  { name: 'for', value: '<text>', summary: 'server.option.purpose' },
  { name: 'drop-after', value: '<time>', summary: 'server.option.drop-after' },
  { name: 'port', value: '<port>', summary: 'server.option.port' },
  { name: 'listen', value: '<address>', many: true, summary: 'server.option.listen-at' },
  { name: 'user', value: '<user>', summary: 'server.option.instance-user' },
  { name: 'set', value: '<key=value>', many: true, summary: 'server.option.instance-setting' },
  { name: 'quota', value: '<size>', summary: 'option.quota' },
  LABEL,
  FORMAT,
  ...WAIT,
]
const STATES = ['creating', 'running', 'stopped', 'refreshing', 'failed', 'lost', 'dropped']

const DATABASES: readonly CommandSpec[] = [
  onServer({
    path: 'database check',
    usage: '<engine> <host:port>',
    options: PRODUCTION,
    summary: 'server.database-check',
    help: 'server.database-check.help',
    examples: ['database check postgres db1:5432 --user openmaas --password-file db.pw'],
    run: () => databases('check'),
  }),
  onServer({
    path: 'database protect',
    usage: '<engine> <host:port>',
    options: [
      ...PRODUCTION,
      NAME,
      { name: 'policy', value: '<policy>', summary: 'server.option.policy' },
      POOL_NAME,
      { name: 'volume-size', value: '<size>', summary: 'server.option.volume-size' },
      VOLUME_MAX,
      RETAINED,
      { name: 'synchronous', summary: 'server.option.synchronous' },
      SELF_SERVICE,
      ASSERT,
      LABEL,
      ...WAIT,
    ],
    summary: 'server.database-protect',
    help: 'server.database-protect.help',
    examples: ['database protect postgres db1:5432 --name shop --password-file db.pw'],
    run: () => databases('protect'),
  }),
  onServer({
    path: 'database change',
    usage: '<source>',
    options: [
      { name: 'place', value: '<host:port>', summary: 'server.option.place' },
      ...PRODUCTION.filter(({ name }) => name !== 'on'),
      {
        name: 'synchronous',
        value: '<yes|no>',
        completes: ['yes', 'no'],
        summary: 'server.option.synchronous',
      },
      RETAINED,
      SELF_SERVICE,
      ASSERT,
      { name: 'no-assert', summary: 'server.option.no-assert' },
      { name: 'no-check', summary: 'server.option.no-check' },
      { name: 'volume-size', value: '<size>', summary: 'server.option.volume-grow' },
      VOLUME_MAX,
      ...WAIT,
    ],
    summary: 'server.database-change',
    help: 'server.database-change.help',
    examples: [
      "database change shop --assert 'shop: select count(*) > 0 from orders'",
      'database change shop --volume-size 200GiB --volume-max 1TiB',
    ],
    run: () => databases('change'),
  }),
  onServer({
    path: 'database list',
    summary: 'server.database-list',
    examples: ['database list', 'database list -o json'],
    run: () => databases('list'),
  }),
  onServer({
    path: 'database range',
    usage: '<source>',
    summary: 'server.database-range',
    examples: ['database range shop'],
    run: () => databases('range'),
  }),
]

const VDBS: readonly CommandSpec[] = [
  onServer({
    path: 'vdb create',
    usage: '<source|point>',
    options: [
      ...MOMENT,
      ...INSTANCE,
      { name: 'refresh-every', value: '<time>', summary: 'server.option.refresh-every' },
      { name: 'live', summary: 'server.option.live' },
      { name: 'as-production', summary: 'server.option.as-production' },
      ...DANGER,
    ],
    summary: 'server.vdb-create',
    help: 'server.vdb-create.help',
    examples: [
      "vdb create shop --at '2026-11-17 14:03:07' --name shop-test",
      'vdb create shop --for build-4711 --drop-after 2h --format env',
    ],
    run: () => vdbs('create'),
  }),
  onServer({
    path: 'vdb list',
    options: [
      filter('state', '<state>', STATES),
      filter('host', '<host>'),
      filter('source', '<source>'),
      filter('name', '<name>'),
      { name: 'all', summary: 'server.option.all' },
      LABEL,
      ...LIST,
    ],
    summary: 'server.vdb-list',
    examples: ['vdb list --state running'],
    run: () => vdbs('list'),
  }),
  onServer({
    path: 'vdb show',
    usage: '<vdb>',
    summary: 'server.vdb-show',
    examples: ['vdb show shop-test'],
    run: async () => (await import('../server-client/verbs/vdb-show.ts')).show,
  }),
  onServer({
    path: 'vdb connect',
    usage: '<vdb>',
    options: [FORMAT],
    summary: 'server.vdb-connect',
    help: 'server.vdb-connect.help',
    examples: ['vdb connect shop-test --format url', 'vdb connect shop-test --format env'],
    run: () => vdbs('connect'),
  }),
  onServer({
    path: 'vdb refresh',
    usage: '<vdb>',
    options: [...MOMENT, FORMAT, DRY_RUN, YES, ...WAIT],
    summary: 'server.vdb-refresh',
    help: 'server.vdb-rewind.help',
    examples: ['vdb refresh shop-test', "vdb refresh shop-test --at '1 h ago' --yes"],
    run: () => vdbs('refresh'),
  }),
  onServer({
    path: 'vdb reset',
    usage: '<vdb>',
    options: [BOOKMARK, FORMAT, DRY_RUN, YES, ...WAIT],
    summary: 'server.vdb-reset',
    help: 'server.vdb-rewind.help',
    examples: ['vdb reset shop-test', 'vdb reset shop-test --bookmark before --yes'],
    run: () => vdbs('reset'),
  }),
  onServer({
    path: 'vdb bookmark',
    usage: '<vdb> [name]',
    options: [{ name: 'delete', summary: 'server.option.delete-bookmark' }, ...WAIT],
    summary: 'server.vdb-bookmark',
    examples: ['vdb bookmark shop-test before', 'vdb bookmark shop-test'],
    run: () => vdbs('bookmark'),
  }),
  onServer({
    path: 'vdb branch',
    usage: '<vdb>',
    options: [BOOKMARK, ...INSTANCE],
    summary: 'server.vdb-branch',
    examples: ['vdb branch shop-test --name shop-other --bookmark before'],
    run: () => vdbs('branch'),
  }),
  onServer({
    path: 'vdb pause',
    usage: '<vdb>',
    options: [FORMAT, ...WAIT],
    summary: 'server.vdb-pause',
    examples: ['vdb pause shop-live'],
    run: () => life('pause'),
  }),
  onServer({
    path: 'vdb resume',
    usage: '<vdb>',
    options: [FORMAT, ...WAIT],
    summary: 'server.vdb-resume',
    examples: ['vdb resume shop-live'],
    run: () => life('resume'),
  }),
  onServer({
    path: 'vdb open',
    usage: '<vdb>',
    options: [FORMAT, ...WAIT],
    summary: 'server.vdb-open',
    examples: ['vdb open shop-live'],
    run: () => life('open'),
  }),
  onServer({
    path: 'vdb promote',
    usage: '<vdb>',
    options: [
      { name: 'directory', value: '<path>', summary: 'server.option.directory' },
      RATE,
      DRY_RUN,
      ...WAIT,
    ],
    summary: 'server.vdb-promote',
    help: 'server.vdb-promote.help',
    examples: ['vdb promote shop-test --directory /srv/pg/shop'],
    run: () => life('promote'),
  }),
  onServer({
    path: 'vdb start',
    usage: '<vdb>',
    options: [FORMAT, ...WAIT],
    summary: 'server.vdb-start',
    examples: ['vdb start shop-test'],
    run: () => vdbs('start'),
  }),
  onServer({
    path: 'vdb stop',
    usage: '<vdb>',
    options: [FORCE, ...WAIT],
    summary: 'server.vdb-stop',
    examples: ['vdb stop shop-test'],
    run: () => vdbs('stop'),
  }),
  onServer({
    path: 'vdb extend',
    usage: '<vdb>',
    options: [TTL, { name: 'quota', value: '<size>', summary: 'option.quota' }, ...WAIT],
    summary: 'server.vdb-extend',
    examples: ['vdb extend shop-test --ttl 7d', 'vdb extend shop-test --quota 20GiB'],
    run: () => vdbs('extend'),
  }),
  onServer({
    path: 'vdb drop',
    usage: '<vdb>',
    options: [FORCE, { name: 'keep-data', summary: 'server.option.keep-data' }, ...DANGER, ...WAIT],
    summary: 'server.vdb-drop',
    help: 'server.vdb-drop.help',
    examples: ['vdb drop shop-test', 'vdb drop shop-old --yes'],
    run: () => vdbs('drop'),
  }),
  onServer({
    path: 'vdb verify',
    usage: '<source|point>',
    options: [AT_SECOND, TO_HOST, ASSERT, ...WAIT],
    summary: 'server.vdb-verify',
    help: 'server.vdb-verify.help',
    examples: ["vdb verify shop --assert 'shop: select count(*) > 0 from orders'"],
    run: () => vdbs('verify'),
  }),
]

export const DATABASE_COMMANDS: readonly CommandSpec[] = [...DATABASES, ...VDBS]
