/** Commands of a server about who is told of alerts, and its settings. */
import type { CommandSpec, OptionSpec, Run } from './spec.ts'
import { ENABLE, filter, LABEL, LIST, NAME, onServer } from './server-options.ts'

const notifying = async (
  name: keyof typeof import('../server-client/verbs/notifying.ts'),
): Promise<Run> => (await import('../server-client/verbs/notifying.ts'))[name]

const KINDS = ['webhook', 'email', 'slack', 'teams', 'wecom', 'dingtalk', 'feishu', 'syslog']
const CONFIG: readonly OptionSpec[] = [
  { name: 'set', value: '<key=value>', many: true, summary: 'server.option.set' },
  {
    name: 'config-file',
    value: '<file>',
    completes: 'file',
    summary: 'server.option.config-file',
  },
]
const MATCH: readonly OptionSpec[] = [
  { name: 'channel', value: '<channel>', many: true, summary: 'server.option.channel' },
  {
    name: 'severity',
    value: '<severity>',
    many: true,
    completes: ['info', 'warning', 'critical'],
    summary: 'server.option.severity',
  },
  { name: 'rule', value: '<alert>', many: true, summary: 'server.option.alert-rule' },
  LABEL,
  { name: 'window', value: '<from-to>', summary: 'server.option.notify-window' },
  { name: 'timezone', value: '<zone>', summary: 'server.option.timezone' },
  { name: 'digest', summary: 'server.option.digest' },
  {
    name: 'language',
    value: '<en|zh>',
    completes: ['en', 'zh'],
    summary: 'server.option.notify-language',
  },
]

const CHANNELS: readonly CommandSpec[] = [
  onServer({
    path: 'channel list',
    options: [filter('name', '<name>'), filter('kind', '<kind>', KINDS), ...LIST],
    summary: 'server.channel-list',
    examples: ['channel list', 'channel list --kind email'],
    run: () => notifying('listChannels'),
  }),
  onServer({
    path: 'channel show',
    usage: '<channel>',
    summary: 'server.channel-show',
    examples: ['channel show on-call'],
    run: () => notifying('showChannel'),
  }),
  onServer({
    path: 'channel add',
    usage: '<name> <kind>',
    options: [...CONFIG, ...ENABLE],
    summary: 'server.channel-add',
    help: 'server.channel-add.help',
    examples: [
      'channel add on-call email --set host=mail --set from=a@b.org --set to=[c@b.org]',
      'channel add chat slack --config-file chat.yaml',
    ],
    run: () => notifying('addChannel'),
  }),
  onServer({
    path: 'channel change',
    usage: '<channel>',
    options: [NAME, ...CONFIG, ...ENABLE],
    summary: 'server.channel-change',
    examples: ['channel change on-call --disable'],
    run: () => notifying('changeChannel'),
  }),
  onServer({
    path: 'channel test',
    usage: '<channel>',
    summary: 'server.channel-test',
    help: 'server.channel-test.help',
    examples: ['channel test on-call'],
    run: () => notifying('testChannel'),
  }),
  onServer({
    path: 'channel remove',
    usage: '<channel>',
    summary: 'server.channel-remove',
    examples: ['channel remove on-call'],
    run: () => notifying('removeChannel'),
  }),
]

const RULES: readonly CommandSpec[] = [
  onServer({
    path: 'rule list',
    options: [filter('name', '<name>'), ...LIST],
    summary: 'server.rule-list',
    examples: ['rule list'],
    run: () => notifying('listRules'),
  }),
  onServer({
    path: 'rule show',
    usage: '<rule>',
    summary: 'server.rule-show',
    examples: ['rule show night'],
    run: () => notifying('showRule'),
  }),
  onServer({
    path: 'rule add',
    usage: '<name>',
    options: MATCH,
    summary: 'server.rule-add',
    help: 'server.rule-add.help',
    examples: ['rule add night --channel on-call --severity critical --window 18:00-08:00'],
    run: () => notifying('addRule'),
  }),
  onServer({
    path: 'rule change',
    usage: '<rule>',
    options: [NAME, ...MATCH, ...ENABLE],
    summary: 'server.rule-change',
    examples: ['rule change night --window always'],
    run: () => notifying('changeRule'),
  }),
  onServer({
    path: 'rule remove',
    usage: '<rule>',
    summary: 'server.rule-remove',
    examples: ['rule remove night'],
    run: () => notifying('removeRule'),
  }),
]

const SETTINGS: readonly CommandSpec[] = [
  onServer({
    path: 'settings show',
    summary: 'server.settings-show',
    examples: ['settings show'],
    run: () => notifying('showSettings'),
  }),
  onServer({
    path: 'settings change',
    options: [
      {
        name: 'four-eyes',
        value: '<on|off>',
        completes: ['on', 'off'],
        summary: 'server.option.four-eyes',
      },
      { name: 'session-idle', value: '<minutes>', summary: 'server.option.session-idle' },
      { name: 'public-url', value: '<url>', summary: 'server.option.public-url' },
      { name: 'audit-syslog', value: '<host:port>', summary: 'server.option.audit-syslog' },
      {
        name: 'transport',
        value: '<tcp|tls|udp>',
        completes: ['tcp', 'tls', 'udp'],
        summary: 'server.option.transport',
      },
    ],
    summary: 'server.settings-change',
    examples: ['settings change --public-url https://backup.example.org'],
    run: () => notifying('changeSettings'),
  }),
]

export const NOTIFY_COMMANDS: readonly CommandSpec[] = [...CHANNELS, ...RULES, ...SETTINGS]
