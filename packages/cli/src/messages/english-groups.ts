/** Texts of the commands of consistency groups: help first, then what they say. */
export const englishGroupsHelp = {
  'server.option.clock-limit':
    'make no point when production clocks are further apart (default: 1s)',
  'server.option.add-member': 'a database that comes in; may be given several times',
  'server.option.remove-member': 'a database that goes out; may be given several times',
  'server.option.group-policy': 'the policy of the group and its members; none: only by hand',
  'server.option.group-point': 'the moment of this point of the group (default: the newest)',
  'server.option.group-name': 'what the names begin with, such as test in test-orders',
  'server.group-create': 'Make a consistency group: databases that belong to one moment',
  'server.group-create.help': `Each member is a database that is protected already. With --policy
the group is run by it, and its members with it. Databases of one server are one source, and
need no group: each of its points is one moment of all of them.`,
  'server.group-list': 'List consistency groups',
  'server.group-show': 'Show a consistency group',
  'server.group-change': 'Change members, policy or name of a group',
  'server.group-remove': 'Dissolve a group; its members stay protected',
  'server.group-protect': 'Take a point of all members at one moment',
  'server.group-points': 'List the moments at which all members can be had',
  'server.group-vdb': 'Make a virtual database of each member, all at one moment',
  'server.group-vdb.help': `All of them are made, or none. A moment counts in whole seconds: it
holds everything that was committed before.`,
} as const

export const englishGroupsRun = {
  'group.made': '{name} is a consistency group now: {id}',
  'group.protected': 'All members of {name} can be had at {at}.',
  'group.vdbs': 'All of them are of {at}:',
  'col.members': 'MEMBERS',
  'col.moment': 'MOMENT',
  'col.lastMoment': 'LAST MOMENT',
  'col.clockSpread': 'CLOCKS APART',
} as const
