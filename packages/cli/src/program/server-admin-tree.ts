/** What administrators do with a server: log in, hosts, pools, people, watching, configuration. */
import type { CommandSpec, OptionSpec, Run } from './spec.ts'
import {
  DANGER,
  ENABLE,
  filter,
  LABEL,
  LIST,
  NAME,
  onServer,
  REASON,
  TTL,
  WAIT,
} from './server-options.ts'
import { NOTIFY_COMMANDS } from './server-notify-tree.ts'
import { WATCH_COMMANDS } from './server-watch-tree.ts'

const login = async (name: keyof typeof import('../server-client/verbs/login.ts')): Promise<Run> =>
  (await import('../server-client/verbs/login.ts'))[name]
const hosts = async (name: keyof typeof import('../server-client/verbs/hosts.ts')): Promise<Run> =>
  (await import('../server-client/verbs/hosts.ts'))[name]
const pools = async (name: keyof typeof import('../server-client/verbs/pools.ts')): Promise<Run> =>
  (await import('../server-client/verbs/pools.ts'))[name]
const people = async (
  name: Exclude<keyof typeof import('../server-client/verbs/people.ts'), 'tokenEnd'>,
): Promise<Run> => (await import('../server-client/verbs/people.ts'))[name]
const file = (name: string, summary: OptionSpec['summary']): OptionSpec => ({
  name,
  value: '<file>',
  completes: 'file',
  summary,
})

const CONTEXTS: readonly CommandSpec[] = [
  onServer({
    path: 'login',
    usage: '<url>',
    options: [
      { name: 'token', summary: 'server.option.token' },
      file('token-file', 'server.option.token-file'),
      { name: 'user', value: '<name>', summary: 'server.option.user' },
      file('password-file', 'server.option.password-file'),
      file('new-password-file', 'server.option.new-password-file'),
      { name: 'code', value: '<digits>', summary: 'server.option.code' },
      { name: 'fingerprint', value: '<sha256:…>', summary: 'server.option.fingerprint' },
      { name: 'name', value: '<context>', summary: 'server.option.context-name' },
      TTL,
    ],
    summary: 'server.login',
    help: 'server.login.help',
    examples: ['login https://backup:8730 --user admin --fingerprint sha256:5f…'],
    run: () => login('login'),
  }),
  onServer({
    path: 'logout',
    usage: '[context]',
    summary: 'server.logout',
    examples: ['logout'],
    run: () => login('logout'),
  }),
  onServer({
    path: 'context list',
    summary: 'server.context-list',
    examples: ['context list'],
    run: () => login('listContexts'),
  }),
  onServer({
    path: 'context use',
    usage: '<context>',
    summary: 'server.context-use',
    examples: ['context use prod'],
    run: () => login('useContext'),
  }),
  onServer({
    path: 'whoami',
    summary: 'server.whoami',
    examples: ['whoami'],
    run: () => people('whoami'),
  }),
]

const HOSTS: readonly CommandSpec[] = [
  onServer({
    path: 'host list',
    options: [
      filter('name', '<name>'),
      filter('kind', '<agent|node>', ['agent', 'node']),
      filter('state', '<state>', ['pending', 'online', 'offline', 'removed']),
      LABEL,
      ...LIST,
    ],
    summary: 'server.host-list',
    examples: ['host list', 'host list --state offline'],
    run: () => hosts('list'),
  }),
  onServer({
    path: 'host show',
    usage: '<host>',
    summary: 'server.host-show',
    examples: ['host show web-1'],
    run: () => hosts('show'),
  }),
  onServer({
    path: 'host token',
    options: [{ name: 'node', summary: 'server.option.node' }, LABEL, TTL],
    summary: 'server.host-token',
    help: 'server.host-token.help',
    examples: ['host token --label env=prod', 'host token --node'],
    run: () => hosts('invite'),
  }),
  onServer({
    path: 'host tokens',
    options: LIST,
    summary: 'server.host-tokens',
    examples: ['host tokens'],
    run: () => hosts('invitations'),
  }),
  onServer({
    path: 'host revoke-token',
    usage: '<token>',
    summary: 'server.host-revoke-token',
    examples: ['host revoke-token jtk_01KD…'],
    run: () => hosts('revokeInvitation'),
  }),
  onServer({
    path: 'host change',
    usage: '<host>',
    options: [NAME, LABEL],
    summary: 'server.host-change',
    help: 'server.change.help',
    examples: ['host change web-1 --label team=shop'],
    run: () => hosts('change'),
  }),
  onServer({
    path: 'host drain',
    usage: '<host>',
    options: [REASON],
    summary: 'server.host-drain',
    examples: ['host drain web-1'],
    run: () => hosts('drain'),
  }),
  onServer({
    path: 'host resume',
    usage: '<host>',
    summary: 'server.host-resume',
    examples: ['host resume web-1'],
    run: () => hosts('resume'),
  }),
  onServer({
    path: 'host discover',
    usage: '<host>',
    summary: 'server.host-discover',
    examples: ['host discover web-1'],
    run: () => hosts('discover'),
  }),
  onServer({
    path: 'host ls',
    usage: '<host> [path]',
    summary: 'server.host-ls',
    examples: ['host ls web-1 /srv'],
    run: () => hosts('ls'),
  }),
  onServer({
    path: 'host remove',
    usage: '<host>',
    options: DANGER,
    summary: 'server.host-remove',
    help: 'server.danger.help',
    examples: ["host remove web-9 --reason 'scrapped'"],
    run: () => hosts('remove'),
  }),
]

const POOLS: readonly CommandSpec[] = [
  onServer({
    path: 'pool list',
    options: [
      filter('name', '<name>'),
      filter('state', '<state>', ['online', 'offline', 'degraded', 'full']),
      LABEL,
      ...LIST,
    ],
    summary: 'server.pool-list',
    examples: ['pool list -o wide'],
    run: () => pools('list'),
  }),
  onServer({
    path: 'pool show',
    usage: '<pool>',
    summary: 'server.pool-show',
    examples: ['pool show main'],
    run: () => pools('show'),
  }),
  onServer({
    path: 'pool create',
    usage: '<name> <node> <dir…>',
    options: [
      { name: 'redundancy', value: '<single|mirror:n>', summary: 'option.redundancy' },
      LABEL,
    ],
    summary: 'server.pool-create',
    examples: ['pool create main node-1 /disk1/pool /disk2/pool --redundancy mirror:2'],
    run: () => pools('create'),
  }),
  onServer({
    path: 'pool adopt',
    usage: '<name> <node> <dir>',
    options: [LABEL],
    summary: 'server.pool-adopt',
    examples: ['pool adopt old node-1 /disk1/pool --passphrase-file secret'],
    run: () => pools('adopt'),
  }),
  onServer({
    path: 'pool change',
    usage: '<pool>',
    options: [NAME, LABEL],
    summary: 'server.pool-change',
    help: 'server.change.help',
    examples: ['pool change main --label tier=fast'],
    run: () => pools('change'),
  }),
  onServer({
    path: 'pool collect',
    usage: '<pool>',
    options: [{ name: 'approve', summary: 'option.gc-approve' }, ...WAIT],
    summary: 'server.pool-collect',
    examples: ['pool collect main'],
    run: () => pools('collect'),
  }),
  onServer({
    path: 'pool check',
    usage: '<pool>',
    options: [{ name: 'data', summary: 'option.fsck-data' }, ...WAIT],
    summary: 'server.pool-check',
    examples: ['pool check main --data'],
    run: () => pools('check'),
  }),
  onServer({
    path: 'pool remove',
    usage: '<pool>',
    options: DANGER,
    summary: 'server.pool-remove',
    help: 'server.danger.help',
    examples: ["pool remove old --reason 'moved to another server'"],
    run: () => pools('remove'),
  }),
]

const ROLES = [
  'admin',
  'operator',
  'restore-operator',
  'data-consumer',
  'auditor',
  'security-officer',
]
const ROLE: OptionSpec = {
  name: 'role',
  value: '<role>',
  many: true,
  completes: ROLES,
  summary: 'server.option.role',
}
const SCOPE: OptionSpec = {
  name: 'scope',
  value: '<key=value>',
  many: true,
  summary: 'server.option.scope',
}
const USER: readonly OptionSpec[] = [
  { name: 'display-name', value: '<text>', summary: 'server.option.display-name' },
  { name: 'email', value: '<address>', summary: 'server.option.email' },
  ROLE,
  SCOPE,
]
const NOTE: OptionSpec = { name: 'note', value: '<text>', summary: 'server.option.note' }
const ALL: OptionSpec = { name: 'all', short: 'a', summary: 'server.option.all-tokens' }

const PEOPLE: readonly CommandSpec[] = [
  onServer({
    path: 'user list',
    options: [
      filter('name', '<name>'),
      filter('state', '<active|disabled>', ['active', 'disabled']),
      ...LIST,
    ],
    summary: 'server.user-list',
    examples: ['user list'],
    run: () => people('listUsers'),
  }),
  onServer({
    path: 'user show',
    usage: '<user>',
    summary: 'server.user-show',
    examples: ['user show alice'],
    run: () => people('showUser'),
  }),
  onServer({
    path: 'user add',
    usage: '<name>',
    options: USER,
    summary: 'server.user-add',
    help: 'server.user-add.help',
    examples: ['user add alice --role operator --scope team=shop'],
    run: () => people('addUser'),
  }),
  onServer({
    path: 'user change',
    usage: '<user>',
    options: [...USER, ...ENABLE],
    summary: 'server.user-change',
    examples: ['user change alice --role auditor'],
    run: () => people('changeUser'),
  }),
  onServer({
    path: 'user remove',
    usage: '<user>',
    options: [
      { name: 'dry-run', summary: 'option.dry-run' },
      { name: 'yes', short: 'y', summary: 'option.yes' },
    ],
    summary: 'server.user-remove',
    examples: ['user remove alice --yes'],
    run: () => people('removeUser'),
  }),
  onServer({
    path: 'user lock',
    usage: '<user>',
    summary: 'server.user-lock',
    examples: ['user lock alice'],
    run: () => people('lockUser'),
  }),
  onServer({
    path: 'user unlock',
    usage: '<user>',
    summary: 'server.user-unlock',
    examples: ['user unlock alice'],
    run: () => people('unlockUser'),
  }),
  onServer({
    path: 'user reset-password',
    usage: '<user>',
    summary: 'server.user-reset-password',
    examples: ['user reset-password alice'],
    run: () => people('resetPassword'),
  }),
  onServer({
    path: 'token list',
    options: [ALL, ...LIST],
    summary: 'server.token-list',
    examples: ['token list'],
    run: () => people('listTokens'),
  }),
  onServer({
    path: 'token add',
    usage: '<name>',
    options: [ROLE, SCOPE, TTL],
    summary: 'server.token-add',
    examples: ['token add ci --role data-consumer --ttl 30d'],
    run: () => people('addToken'),
  }),
  onServer({
    path: 'token revoke',
    usage: '<token>',
    options: [ALL],
    summary: 'server.token-revoke',
    examples: ['token revoke tok_01KD…'],
    run: () => people('revokeToken'),
  }),
  onServer({
    path: 'approval list',
    options: [
      filter('state', '<state>', ['waiting', 'approved', 'refused', 'used', 'expired']),
      ...LIST,
    ],
    summary: 'server.approval-list',
    examples: ['approval list --state waiting'],
    run: () => people('listApprovals'),
  }),
  onServer({
    path: 'approval show',
    usage: '<approval>',
    summary: 'server.approval-show',
    examples: ['approval show apr_01KD…'],
    run: () => people('showApproval'),
  }),
  onServer({
    path: 'approval request',
    usage: '<operation> <object>',
    options: [
      { name: 'param', value: '<key=value>', many: true, summary: 'server.option.param' },
      REASON,
    ],
    summary: 'server.approval-request',
    examples: ["approval request deletePoint pnt_01KD… --reason 'asked for by its owner'"],
    run: () => people('requestApproval'),
  }),
  onServer({
    path: 'approval approve',
    usage: '<approval>',
    options: [NOTE],
    summary: 'server.approval-approve',
    examples: ['approval approve apr_01KD…'],
    run: () => people('approve'),
  }),
  onServer({
    path: 'approval refuse',
    usage: '<approval>',
    options: [NOTE],
    summary: 'server.approval-refuse',
    examples: ['approval refuse apr_01KD…'],
    run: () => people('refuse'),
  }),
]

export const ADMIN_COMMANDS: readonly CommandSpec[] = [
  ...CONTEXTS,
  ...HOSTS,
  ...POOLS,
  ...PEOPLE,
  ...WATCH_COMMANDS,
  ...NOTIFY_COMMANDS,
]
