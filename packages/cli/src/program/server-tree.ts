/** What people do with a server every day: protect, mount, restore, watch. */
import { DATABASE_COMMANDS } from './server-database-tree.ts'
import { GROUP_COMMANDS } from './server-group-tree.ts'
import { FORCE, JOB_AND_MEDIUM_COMMANDS, PLUG } from './server-media-tree.ts'
import type { CommandSpec, OptionSpec, Run } from './spec.ts'
import {
  AT,
  DANGER,
  ENABLE,
  filter,
  LABEL,
  LIMIT,
  LIST,
  NAME,
  onServer,
  POOL_NAME,
  RATE,
  REASON,
  WAIT,
} from './server-options.ts'

const sources = async (
  name: keyof typeof import('../server-client/verbs/sources.ts'),
): Promise<Run> => (await import('../server-client/verbs/sources.ts'))[name] as Run
const policies = async (
  name: keyof typeof import('../server-client/verbs/policies.ts'),
): Promise<Run> => (await import('../server-client/verbs/policies.ts'))[name]
const points = async (
  name: keyof typeof import('../server-client/verbs/points.ts'),
): Promise<Run> => (await import('../server-client/verbs/points.ts'))[name]
const media = async (name: keyof typeof import('../server-client/verbs/media.ts')): Promise<Run> =>
  (await import('../server-client/verbs/media.ts'))[name]
const system = async (
  name: keyof typeof import('../server-client/verbs/system.ts'),
): Promise<Run> => (await import('../server-client/verbs/system.ts'))[name]

const PROTECT: readonly OptionSpec[] = [
  { name: 'lock-until', value: '<time>', summary: 'server.option.lock-until' },
  LABEL,
  ...WAIT,
]

const DAILY: readonly CommandSpec[] = [
  onServer({
    path: 'status',
    summary: 'server.status',
    examples: ['status', 'status -o json'],
    run: () => system('status'),
  }),
  onServer({
    path: 'protect',
    usage: '<source…>',
    options: PROTECT,
    summary: 'server.protect',
    help: 'server.protect.help',
    examples: ['protect home', 'protect web-1/home db --no-wait'],
    run: () => sources('protect'),
  }),
  onServer({
    path: 'mount',
    usage: '<source|point>',
    options: PLUG,
    summary: 'server.mount',
    help: 'server.mount.help',
    examples: ['mount home', "mount web-1/home --at '2 hours ago' --to web-2 --ttl 24h"],
    run: () => media('plug'),
  }),
  onServer({
    path: 'umount',
    usage: '<medium>',
    options: [FORCE, ...WAIT],
    summary: 'server.umount',
    examples: ['umount /mnt/home', 'umount mnt_01KD… --force'],
    run: () => media('eject'),
  }),
]

const SOURCE_OPTIONS: readonly OptionSpec[] = [
  NAME,
  LABEL,
  { name: 'policy', value: '<policy>', summary: 'server.option.policy' },
  POOL_NAME,
  { name: 'exclude', value: '<pattern>', many: true, summary: 'option.exclude' },
  { name: 'include', value: '<pattern>', many: true, summary: 'option.include' },
  { name: 'one-file-system', short: 'x', summary: 'option.one-file-system' },
  RATE,
]

const SOURCES: readonly CommandSpec[] = [
  onServer({
    path: 'source list',
    options: [
      filter('name', '<name>'),
      filter('host', '<host>'),
      filter('policy', '<policy>'),
      filter('kind', '<files|disk>', ['files', 'disk']),
      LABEL,
      ...LIST,
    ],
    summary: 'server.source-list',
    examples: ['source list', 'source list --label env=prod -o wide'],
    run: () => sources('list'),
  }),
  onServer({
    path: 'source show',
    usage: '<source>',
    summary: 'server.source-show',
    examples: ['source show web-1/home'],
    run: () => sources('show'),
  }),
  onServer({
    path: 'source add',
    usage: '[host] <path>',
    options: [...SOURCE_OPTIONS, { name: 'disk', summary: 'server.option.disk' }],
    summary: 'server.source-add',
    examples: ['source add /srv', "source add web-1 /home --label env=prod --exclude '*.tmp'"],
    run: () => sources('add'),
  }),
  onServer({
    path: 'source change',
    usage: '<source>',
    options: [...SOURCE_OPTIONS, { name: 'path', value: '<path>', summary: 'server.option.path' }],
    summary: 'server.source-change',
    help: 'server.change.help',
    examples: ['source change home --policy gold', 'source change home --label env='],
    run: () => sources('change'),
  }),
  onServer({
    path: 'source remove',
    usage: '<source>',
    options: [...DANGER, { name: 'force', summary: 'server.option.force-source' }],
    summary: 'server.source-remove',
    help: 'server.danger.help',
    examples: [
      "source remove home --reason 'host is gone'",
      "source remove shop --force --reason 'production is gone for good'",
    ],
    run: () => sources('remove'),
  }),
  onServer({
    path: 'source protect',
    usage: '<source…>',
    options: PROTECT,
    summary: 'server.protect',
    help: 'server.protect.help',
    examples: ['source protect home'],
    run: () => sources('protect'),
  }),
  onServer({
    path: 'source pause',
    usage: '<source>',
    summary: 'server.source-pause',
    examples: ['source pause home'],
    run: () => sources('pause'),
  }),
  onServer({
    path: 'source resume',
    usage: '<source>',
    summary: 'server.source-resume',
    examples: ['source resume home'],
    run: () => sources('resume'),
  }),
  onServer({
    path: 'source compliance',
    usage: '<source>',
    summary: 'server.source-compliance',
    examples: ['source compliance home'],
    run: () => sources('compliance'),
  }),
]

const SPEC: readonly OptionSpec[] = [
  { name: 'rpo', value: '<time>', summary: 'server.option.rpo' },
  { name: 'keep', value: '<rule=n>', many: true, summary: 'server.option.keep' },
  { name: 'lock-days', value: '<n>', summary: 'server.option.lock-days' },
  { name: 'selector', value: '<key=value>', many: true, summary: 'server.option.selector' },
  { name: 'priority', value: '<n>', summary: 'server.option.priority' },
  { name: 'file', short: 'f', value: '<file>', completes: 'file', summary: 'server.option.spec' },
]

const POLICIES: readonly CommandSpec[] = [
  onServer({
    path: 'policy list',
    options: [filter('name', '<name>'), ...LIST],
    summary: 'server.policy-list',
    examples: ['policy list'],
    run: () => policies('list'),
  }),
  onServer({
    path: 'policy show',
    usage: '<policy>',
    summary: 'server.policy-show',
    examples: ['policy show gold -o json'],
    run: () => policies('show'),
  }),
  onServer({
    path: 'policy add',
    usage: '<name>',
    options: SPEC,
    summary: 'server.policy-add',
    help: 'server.policy.help',
    examples: ['policy add gold --rpo 15m --keep daily=7 --keep weekly=4 --selector env=prod'],
    run: () => policies('add'),
  }),
  onServer({
    path: 'policy change',
    usage: '<policy>',
    options: [
      ...SPEC,
      NAME,
      ...ENABLE,
      REASON,
      { name: 'approval', value: '<id>', summary: 'server.option.approval' },
    ],
    summary: 'server.policy-change',
    help: 'server.policy.help',
    examples: ['policy change gold --rpo 5m'],
    run: () => policies('change'),
  }),
  onServer({
    path: 'policy remove',
    usage: '<policy>',
    options: DANGER,
    summary: 'server.policy-remove',
    help: 'server.danger.help',
    examples: ["policy remove old --reason 'no source left'"],
    run: () => policies('remove'),
  }),
  onServer({
    path: 'policy preview',
    usage: '<policy>',
    options: SPEC,
    summary: 'server.policy-preview',
    examples: ['policy preview gold --rpo 5m'],
    run: () => policies('preview'),
  }),
  onServer({
    path: 'policy simulate',
    usage: '<policy>',
    options: [...SPEC, { name: 'days', value: '<n>', summary: 'server.option.days' }],
    summary: 'server.policy-simulate',
    examples: ['policy simulate gold --days 365'],
    run: () => policies('simulate'),
  }),
  onServer({
    path: 'policy next',
    usage: '<policy>',
    options: [LIMIT],
    summary: 'server.policy-next',
    examples: ['policy next gold'],
    run: () => policies('next'),
  }),
]

const LONG: OptionSpec = { name: 'long', short: 'l', summary: 'option.long' }
const POINT_STATES = ['available', 'deleting', 'deleted', 'missing']

const POINTS: readonly CommandSpec[] = [
  onServer({
    path: 'point list',
    options: [
      filter('source', '<source>'),
      filter('host', '<host>'),
      POOL_NAME,
      filter('state', '<state>', POINT_STATES),
      filter('from', '<time>'),
      filter('until', '<time>'),
      LABEL,
      ...LIST,
    ],
    summary: 'server.point-list',
    help: 'server.point.help',
    examples: ['point list --source home', 'point list --from yesterday -o wide'],
    run: () => points('list'),
  }),
  onServer({
    path: 'point show',
    usage: '<point>',
    options: [AT],
    summary: 'server.point-show',
    help: 'server.point.help',
    examples: ['point show home', "point show home --at '2 days ago'"],
    run: () => points('show'),
  }),
  onServer({
    path: 'point ls',
    usage: '<point> [path]',
    options: [AT, LONG],
    summary: 'server.point-ls',
    help: 'server.point.help',
    examples: ['point ls home /alice -l'],
    run: () => points('ls'),
  }),
  onServer({
    path: 'point find',
    usage: '<pattern>',
    options: [
      filter('source', '<source>'),
      { name: 'point', value: '<point>', summary: 'option.find-point' },
      LIMIT,
    ],
    summary: 'server.point-find',
    examples: ["point find 'report*.odt' --source home"],
    run: () => points('find'),
  }),
  onServer({
    path: 'point cat',
    usage: '<point> <path>',
    options: [
      AT,
      { name: 'to', value: '<file>', completes: 'file', summary: 'server.option.to-file' },
    ],
    summary: 'server.point-cat',
    examples: ['point cat home alice/report.odt --to report.odt'],
    run: () => points('cat'),
  }),
  onServer({
    path: 'point restore',
    usage: '<point> [path…]',
    options: [
      AT,
      { name: 'host', value: '<host>', summary: 'server.option.to-host' },
      { name: 'to', value: '<dir>', summary: 'option.to' },
      {
        name: 'conflict',
        value: '<rule>',
        completes: ['fail', 'skip', 'overwrite', 'rename'],
        summary: 'option.conflict',
      },
      RATE,
      { name: 'dry-run', summary: 'option.dry-run' },
      ...WAIT,
    ],
    summary: 'server.point-restore',
    examples: ['point restore home alice --host web-1 --to /tmp/restored'],
    run: () => points('restore'),
  }),
  onServer({
    path: 'point mount',
    usage: '<point>',
    options: PLUG,
    summary: 'server.mount',
    help: 'server.mount.help',
    examples: ['point mount pnt_01KD… --to web-2'],
    run: () => media('plug'),
  }),
  onServer({
    path: 'point lock',
    usage: '<point>',
    options: [AT, { name: 'until', value: '<time>', summary: 'server.option.lock-until' }, REASON],
    summary: 'server.point-lock',
    examples: ['point lock home --until 2027-01-01'],
    run: () => points('lock'),
  }),
  onServer({
    path: 'point verify',
    usage: '<point>',
    options: [AT, { name: 'structure', summary: 'server.option.structure' }, ...WAIT],
    summary: 'server.point-verify',
    examples: ['point verify home'],
    run: () => points('verify'),
  }),
  onServer({
    path: 'point delete',
    usage: '<point>',
    options: [AT, ...DANGER, ...WAIT],
    summary: 'server.point-delete',
    help: 'server.danger.help',
    examples: ["point delete pnt_01KD… --reason 'asked for by its owner'"],
    run: () => points('remove'),
  }),
]

export const SERVER_COMMANDS: readonly CommandSpec[] = [
  ...DAILY,
  ...SOURCES,
  ...POLICIES,
  ...POINTS,
  ...JOB_AND_MEDIUM_COMMANDS,
  ...DATABASE_COMMANDS,
  ...GROUP_COMMANDS,
]
