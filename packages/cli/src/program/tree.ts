/** All commands and their options. Help, completion, parsing and docs/reference/cli.md use it. */
import { ROLE_COMMANDS } from './role-tree.ts'
import { ADMIN_COMMANDS } from './server-admin-tree.ts'
import { SERVER_COMMANDS } from './server-tree.ts'
import type { CommandSpec, OptionSpec } from './spec.ts'

export const GLOBAL_OPTIONS: readonly OptionSpec[] = [
  { name: 'pool', value: '<dir>', completes: 'directory', summary: 'option.pool' },
  {
    name: 'passphrase-file',
    value: '<file>',
    completes: 'file',
    summary: 'option.passphrase-file',
  },
  { name: 'context', value: '<name>', summary: 'server.option.context' },
  { name: 'json', summary: 'option.json' },
  { name: 'quiet', short: 'q', summary: 'option.quiet' },
  { name: 'verbose', short: 'v', summary: 'option.verbose' },
  { name: 'no-color', summary: 'option.no-color' },
  { name: 'lang', value: '<en|zh>', completes: ['en', 'zh'], summary: 'option.lang' },
  { name: 'help', short: 'h', summary: 'option.help' },
  { name: 'version', summary: 'option.version' },
]

const NONE = { usage: '', countMin: 0, countMax: 0 } as const
const MEDIUM = { usage: '<medium>', countMin: 1, countMax: 1 } as const
/** A command line of Linux holds about this many short arguments; more belong in several runs. */
const MANY = 10_000
/** More bricks than one machine has disks. */
const BRICKS = 256

/** `unix:/path`, `host:port`, `[::1]:port`; not `latest:2`, which is a point. */
const NBD_ADDRESS = /^(?:unix:.+|(?!latest:)[^:/[\]]+:\d+|\[[0-9a-f:]+\]:\d+)$/i

const YES: OptionSpec = { name: 'yes', short: 'y', summary: 'option.yes' }
const DRY_RUN: OptionSpec = { name: 'dry-run', summary: 'option.dry-run' }
const ATTACH: OptionSpec = {
  name: 'attach',
  value: '<auto|fuse|nbd>',
  completes: ['auto', 'fuse', 'nbd'],
  summary: 'option.attach',
}
const LANES: OptionSpec = { name: 'lanes', value: '<n>', summary: 'option.lanes' }

const POOL_COMMANDS: readonly CommandSpec[] = [
  {
    path: 'pool init',
    arguments: { usage: '<dir…>', countMin: 1, countMax: BRICKS, completes: 'directory' },
    options: [
      {
        name: 'redundancy',
        value: '<single|mirror:n>',
        completes: ['single', 'mirror:2', 'mirror:3'],
        summary: 'option.redundancy',
      },
    ],
    summary: 'pool-init.summary',
    help: 'pool-init.help',
    examples: ['pool init /backup/pool', 'pool init /disk1/pool /disk2/pool --redundancy mirror:2'],
    load: () => import('../commands/pool-init.ts'),
  },
  {
    path: 'pool status',
    arguments: NONE,
    options: [],
    summary: 'pool-status.summary',
    help: 'pool-status.help',
    examples: ['pool status --pool /backup/pool'],
    load: () => import('../commands/pool-status.ts'),
  },
  {
    path: 'pool fsck',
    arguments: NONE,
    options: [
      { name: 'data', summary: 'option.fsck-data' },
      { name: 'repair', summary: 'option.fsck-repair' },
    ],
    summary: 'pool-fsck.summary',
    help: 'pool-fsck.help',
    examples: ['pool fsck', 'pool fsck --data --repair'],
    load: () => import('../commands/pool-fsck.ts'),
  },
  {
    path: 'pool gc',
    arguments: NONE,
    options: [
      DRY_RUN,
      YES,
      { name: 'approve', summary: 'option.gc-approve' },
      { name: 'grace', value: '<time>', summary: 'option.gc-grace' },
    ],
    summary: 'pool-gc.summary',
    help: 'pool-gc.help',
    examples: ['pool gc --dry-run', 'pool gc --grace 7d'],
    load: () => import('../commands/pool-gc.ts'),
  },
  {
    path: 'pool key list',
    arguments: NONE,
    options: [],
    summary: 'pool-key-list.summary',
    help: 'pool-key-list.help',
    examples: ['pool key list'],
    load: () => import('../commands/pool-key-list.ts'),
  },
  {
    path: 'pool key add',
    arguments: { usage: '<name>', countMin: 1, countMax: 1 },
    options: [
      {
        name: 'new-passphrase-file',
        value: '<file>',
        completes: 'file',
        summary: 'option.new-passphrase-file',
      },
    ],
    summary: 'pool-key-add.summary',
    help: 'pool-key-add.help',
    examples: ['pool key add safe', 'pool key add safe --new-passphrase-file /root/safe.txt'],
    load: () => import('../commands/pool-key-add.ts'),
  },
  {
    path: 'pool key remove',
    arguments: { usage: '<name>', countMin: 1, countMax: 1 },
    options: [],
    summary: 'pool-key-remove.summary',
    help: 'pool-key-remove.help',
    examples: ['pool key remove old'],
    load: () => import('../commands/pool-key-remove.ts'),
  },
]

const CAPTURE_COMMANDS: readonly CommandSpec[] = [
  {
    path: 'backup',
    arguments: { usage: '<path>', countMin: 1, countMax: 1, completes: 'file' },
    options: [
      { name: 'name', value: '<name>', summary: 'option.backup-name' },
      { name: 'tag', value: '<key=value>', many: true, summary: 'option.tag' },
      { name: 'exclude', value: '<pattern>', many: true, summary: 'option.exclude' },
      { name: 'include', value: '<pattern>', many: true, summary: 'option.include' },
      { name: 'one-file-system', short: 'x', summary: 'option.one-file-system' },
      { name: 'volume', summary: 'option.volume' },
      { name: 'full', summary: 'option.full' },
      { name: 'lock-until', value: '<date>', summary: 'option.lock-until' },
      LANES,
    ],
    summary: 'backup.summary',
    help: 'backup.help',
    examples: [
      'backup /home',
      "backup /srv --name web --exclude '*.tmp' --tag customer=acme",
      'backup /dev/vg0/data --volume --name data',
    ],
    load: () => import('../commands/backup.ts'),
  },
  {
    path: 'restore',
    arguments: { usage: '<point> [path…]', countMin: 1, countMax: MANY },
    options: [
      { name: 'to', value: '<dir>', completes: 'directory', summary: 'option.to' },
      {
        name: 'conflict',
        value: '<rule>',
        completes: ['fail', 'skip', 'overwrite', 'rename'],
        summary: 'option.conflict',
      },
      {
        name: 'owners',
        value: '<rule>',
        completes: ['auto', 'numbers', 'none'],
        summary: 'option.owners',
      },
      DRY_RUN,
      LANES,
    ],
    summary: 'restore.summary',
    help: 'restore.help',
    examples: [
      'restore latest --to /tmp/restored',
      "restore '2 hours ago' etc/nginx --to /tmp/nginx",
      'restore 5KQ2M7 --to / --conflict skip --dry-run',
    ],
    load: () => import('../commands/restore.ts'),
  },
]

const POINT_COMMANDS: readonly CommandSpec[] = [
  {
    path: 'points',
    arguments: NONE,
    options: [
      { name: 'name', value: '<name>', summary: 'option.filter-name' },
      { name: 'host', value: '<host>', summary: 'option.filter-host' },
    ],
    summary: 'points.summary',
    help: 'points.help',
    examples: ['points', 'points --name home --json'],
    load: () => import('../commands/points.ts'),
  },
  {
    path: 'points delete',
    arguments: { usage: '<point…>', countMin: 1, countMax: MANY },
    options: [DRY_RUN, YES],
    summary: 'points-delete.summary',
    help: 'points-delete.help',
    examples: ['points delete 5KQ2M7', 'points delete 5KQ2M7 8ZD41T --yes'],
    load: () => import('../commands/points-delete.ts'),
  },
  {
    path: 'ls',
    arguments: { usage: '<point> [path]', countMin: 1, countMax: 2 },
    options: [
      { name: 'long', short: 'l', summary: 'option.long' },
      { name: 'recursive', short: 'R', summary: 'option.recursive' },
    ],
    summary: 'ls.summary',
    help: 'ls.help',
    examples: ['ls latest', 'ls -l latest:home alice/Documents'],
    load: () => import('../commands/ls.ts'),
  },
  {
    path: 'find',
    arguments: { usage: '<pattern>', countMin: 1, countMax: 1 },
    options: [
      { name: 'point', value: '<point>', summary: 'option.find-point' },
      { name: 'name', value: '<name>', summary: 'option.filter-name' },
      { name: 'all', short: 'a', summary: 'option.find-all' },
    ],
    summary: 'find.summary',
    help: 'find.help',
    examples: ["find 'report*.odt'", 'find etc/passwd --name web'],
    load: () => import('../commands/find.ts'),
  },
  {
    path: 'diff',
    arguments: { usage: '<point> <point> [path]', countMin: 2, countMax: 3 },
    options: [],
    summary: 'diff.summary',
    help: 'diff.help',
    examples: ['diff yesterday latest', 'diff 5KQ2M7 8ZD41T etc'],
    load: () => import('../commands/diff.ts'),
  },
  {
    path: 'cat',
    arguments: { usage: '<point> <path>', countMin: 2, countMax: 2 },
    options: [],
    summary: 'cat.summary',
    help: 'cat.help',
    examples: ['cat latest etc/hosts', 'cat yesterday db/dump.sql > dump.sql'],
    load: () => import('../commands/cat.ts'),
  },
]

const MEDIUM_COMMANDS: readonly CommandSpec[] = [
  {
    path: 'plug',
    arguments: { usage: '<point>', countMin: 0, countMax: 1 },
    options: [
      { name: 'at', value: '<dir>', completes: 'directory', summary: 'option.at' },
      { name: 'read-only', summary: 'option.read-only' },
      {
        name: 'nbd',
        value: '[=unix:<path>|<host>:<port>]',
        optionalValue: NBD_ADDRESS,
        summary: 'option.nbd',
      },
      { name: 'no-mount', summary: 'option.no-mount' },
      ATTACH,
      { name: 'no-attach', summary: 'option.no-attach' },
      { name: 'quota', value: '<size>', summary: 'option.quota' },
      { name: 'free', value: '<size>', summary: 'option.free' },
      { name: 'resume', value: '<medium>', summary: 'option.resume' },
    ],
    summary: 'plug.summary',
    help: 'plug.help',
    examples: ['plug latest', "plug '2 hours ago' --at /mnt/then", 'plug latest:data --nbd'],
    load: () => import('../commands/plug.ts'),
  },
  {
    path: 'media',
    arguments: NONE,
    options: [],
    summary: 'media.summary',
    help: 'media.help',
    examples: ['media', 'media --json'],
    load: () => import('../commands/media.ts'),
  },
  {
    path: 'eject',
    arguments: MEDIUM,
    options: [
      { name: 'force', summary: 'option.force' },
      { name: 'keep', summary: 'option.keep' },
    ],
    summary: 'eject.summary',
    help: 'eject.help',
    examples: ['eject 7XW3QP', 'eject /mnt/then --keep'],
    load: () => import('../commands/eject.ts'),
  },
  {
    path: 'clone',
    arguments: MEDIUM,
    options: [
      { name: 'at', value: '<dir>', completes: 'directory', summary: 'option.at' },
      { name: 'no-mount', summary: 'option.no-mount' },
      ATTACH,
      { name: 'quota', value: '<size>', summary: 'option.quota' },
    ],
    summary: 'clone.summary',
    help: 'clone.help',
    examples: ['clone 7XW3QP --at /mnt/trial'],
    load: () => import('../commands/clone.ts'),
  },
  {
    path: 'seal',
    arguments: MEDIUM,
    options: [{ name: 'name', value: '<name>', summary: 'option.seal-name' }],
    summary: 'seal.summary',
    help: 'seal.help',
    examples: ['seal 7XW3QP --name patched'],
    load: () => import('../commands/seal.ts'),
  },
]

const OTHER_COMMANDS: readonly CommandSpec[] = [
  {
    path: 'demo',
    arguments: NONE,
    options: [{ name: 'keep', summary: 'option.demo-keep' }],
    summary: 'demo.summary',
    help: 'demo.help',
    examples: ['demo'],
    load: () => import('../commands/demo.ts'),
  },
  {
    path: 'completion',
    arguments: {
      usage: '<bash|zsh|fish|powershell>',
      countMin: 1,
      countMax: 1,
      completes: ['bash', 'zsh', 'fish', 'powershell'],
    },
    options: [],
    summary: 'completion.summary',
    help: 'completion.help',
    examples: ['completion bash > /etc/bash_completion.d/openmaas', 'completion fish | source'],
    load: () => import('../commands/completion.ts'),
  },
  {
    path: 'help',
    arguments: { usage: '[command|topic]', countMin: 0, countMax: 3, completes: 'command' },
    options: [],
    summary: 'help.summary',
    help: 'help.help',
    examples: ['help plug', 'help exit-codes'],
    load: () => import('../commands/help.ts'),
  },
]

/** In the order that help shows them: what is wanted in a hurry first. */
export const COMMAND_GROUPS = [
  { title: 'group.capture', commands: CAPTURE_COMMANDS },
  { title: 'group.points', commands: POINT_COMMANDS },
  { title: 'group.media', commands: MEDIUM_COMMANDS },
  { title: 'group.pool', commands: POOL_COMMANDS },
  { title: 'group.roles', commands: ROLE_COMMANDS },
  { title: 'group.server', commands: SERVER_COMMANDS },
  { title: 'group.admin', commands: ADMIN_COMMANDS },
  { title: 'group.other', commands: OTHER_COMMANDS },
] as const

export const COMMANDS: readonly CommandSpec[] = COMMAND_GROUPS.flatMap((group) => group.commands)
