/** Commands of a server about consistency groups. */
import { AT, DANGER, filter, LABEL, LIST, NAME, onServer, WAIT } from './server-options.ts'
import type { CommandSpec, OptionSpec, Run } from './spec.ts'

const groups = async (
  name: keyof typeof import('../server-client/verbs/groups.ts'),
): Promise<Run> => (await import('../server-client/verbs/groups.ts'))[name]

const FIELDS: readonly OptionSpec[] = [
  NAME,
  { name: 'policy', value: '<policy>', summary: 'server.option.group-policy' },
  { name: 'clock-limit', value: '<time>', summary: 'server.option.clock-limit' },
  LABEL,
]

export const GROUP_COMMANDS: readonly CommandSpec[] = [
  onServer({
    path: 'group create',
    usage: '<source…>',
    options: FIELDS,
    summary: 'server.group-create',
    help: 'server.group-create.help',
    examples: ['group create orders billing --name shop --policy gold'],
    run: () => groups('create'),
  }),
  onServer({
    path: 'group list',
    options: [filter('name', '<name>'), LABEL, ...LIST],
    summary: 'server.group-list',
    examples: ['group list', 'group list -o json'],
    run: () => groups('list'),
  }),
  onServer({
    path: 'group show',
    usage: '<group>',
    summary: 'server.group-show',
    examples: ['group show shop'],
    run: () => groups('show'),
  }),
  onServer({
    path: 'group change',
    usage: '<group>',
    options: [
      ...FIELDS,
      { name: 'add', value: '<source>', many: true, summary: 'server.option.add-member' },
      { name: 'remove', value: '<source>', many: true, summary: 'server.option.remove-member' },
    ],
    summary: 'server.group-change',
    examples: ['group change shop --add stock', 'group change shop --policy none'],
    run: () => groups('change'),
  }),
  onServer({
    path: 'group remove',
    usage: '<group>',
    options: DANGER,
    summary: 'server.group-remove',
    help: 'server.danger.help',
    examples: ["group remove shop --reason 'one database now'"],
    run: () => groups('remove'),
  }),
  onServer({
    path: 'group protect',
    usage: '<group>',
    options: WAIT,
    summary: 'server.group-protect',
    examples: ['group protect shop'],
    run: () => groups('protect'),
  }),
  onServer({
    path: 'group points',
    usage: '<group>',
    options: LIST,
    summary: 'server.group-points',
    examples: ['group points shop'],
    run: () => groups('points'),
  }),
  onServer({
    path: 'group vdb',
    usage: '<group>',
    options: [
      AT,
      { name: 'point', value: '<id>', summary: 'server.option.group-point' },
      { name: 'name', value: '<name>', summary: 'server.option.group-name' },
      { name: 'to', value: '<host>', summary: 'server.option.to-host' },
      { name: 'for', value: '<text>', summary: 'server.option.purpose' },
      { name: 'drop-after', value: '<time>', summary: 'server.option.drop-after' },
      { name: 'listen', value: '<address>', many: true, summary: 'server.option.listen-at' },
      { name: 'user', value: '<user>', summary: 'server.option.instance-user' },
      { name: 'quota', value: '<size>', summary: 'option.quota' },
      LABEL,
      { name: 'dry-run', summary: 'option.dry-run' },
      ...WAIT,
    ],
    summary: 'server.group-vdb',
    help: 'server.group-vdb.help',
    examples: ["group vdb shop --at '2026-11-17 14:03:07' --name test"],
    run: () => groups('vdb'),
  }),
]
