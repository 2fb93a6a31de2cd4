/** Help: one line and one page per command, one line per option. */
export const englishHelp = {
  'help.usage': 'Usage:',
  'help.options': 'Options:',
  'help.globals': 'Everywhere:',
  'help.examples': 'Examples:',
  'help.commands': 'Commands:',
  'help.optionsWord': '[options]',
  'help.intro': `OpenMaaS keeps every backup as a disk you can plug in.
Back up a directory, then plug any point in time as a disk, use it, and eject it.`,
  'help.more': `Run "openmaas <command> --help" for one command; "openmaas help exit-codes" and
"openmaas help environment" for what scripts need. New here? Run "openmaas demo".`,
  'group.capture': 'Back up and restore',
  'group.points': 'Recovery points',
  'group.media': 'Points as disks',
  'group.pool': 'The pool',
  'group.other': 'More',

  'option.pool': 'the pool: its first directory',
  'option.passphrase-file': 'file that holds the passphrase; else it is asked for',
  'option.json': 'data as JSON on stdout, errors as JSON on stderr',
  'option.quiet': 'no progress, no notes',
  'option.verbose': 'errors with details and causes',
  'option.no-color': 'no colors',
  'option.lang': 'language of messages',
  'option.help': 'this help',
  'option.version': 'the version',
  'option.yes': 'do it without asking',
  'option.dry-run': 'show what would happen and change nothing',
  'option.lanes': 'worker threads (default: one per core)',
  'option.redundancy': 'each pack on one directory, or on n of them (default: single)',
  'option.fsck-data': 'read and verify every stored byte',
  'option.fsck-repair': 'replace damaged copies from a mirror',
  'option.gc-approve': 'allow a run that deletes unusually much',
  'option.gc-grace': 'keep what was deleted for this long, such as 7d',
  'option.new-passphrase-file': 'file that holds the new passphrase; else it is asked for',
  'option.backup-name': 'name of the source (default: last part of the path)',
  'option.tag': 'remember this with the point',
  'option.exclude': 'leave out what matches, as in .gitignore',
  'option.include': 'take what matches even if it is excluded',
  'option.one-file-system': 'do not go into other file systems',
  'option.volume': 'the path is a raw image or a block device',
  'option.full': 'read every file, changed or not',
  'option.lock-until': 'the point cannot be deleted before this date',
  'option.to': 'directory to restore into; it is made when missing',
  'option.conflict': 'fail, skip, overwrite or rename what is in the way (default: fail)',
  'option.owners': 'auto, numbers or none (default: auto)',
  'option.filter-name': 'only points of this source',
  'option.filter-host': 'only points of this host',
  'option.long': 'mode, owner, size and time as well',
  'option.recursive': 'everything below as well',
  'option.find-point': 'only in this point',
  'option.find-all': 'every point a file is in, not only the newest of each state',
  'option.at': 'where to mount it (default: below /run/openmaas)',
  'option.read-only': 'no overlay, no writes',
  'option.nbd': 'export over NBD too; alone: on a unix socket',
  'option.no-mount': 'make the disk, but mount nothing',
  'option.attach': "make the disk through FUSE, or with the kernel's nbd; default auto",
  'option.no-attach': 'no disk on this machine: only the NBD export',
  'option.quota': 'most that may be written to the disk',
  'option.free': 'free space the disk shows',
  'option.resume': 'bring a kept or interrupted medium back',
  'option.force': 'even while programs use it',
  'option.keep': 'keep what was written; "plug --resume" brings it back',
  'option.seal-name': 'name of the new point (default: as before)',
  'option.demo-keep': 'keep the directory of the demo',

  'pool-init.summary': 'Make a pool in one or more directories',
  'pool-init.help': `Makes a pool and asks for its passphrase, twice. Without the passphrase
nobody can read the pool: keep it where the pool is not. Give one directory per disk; with
"mirror:2" each pack is kept on two of them.`,
  'pool-status.summary': 'Show space, redundancy and points of the pool',
  'pool-status.help': 'Shows what the pool holds and what it takes. Reads only the log.',
  'pool-fsck.summary': 'Check the pool, and repair it from a mirror',
  'pool-fsck.help': `Checks log, packs and index; with --data every stored byte. Names the
points that damage affects. Exit code 10 when something is wrong and was not repaired.`,
  'pool-gc.summary': 'Free the space of deleted points',
  'pool-gc.help': `Frees what no point needs any more; points, plugged disks and running
backups never lose anything. At a terminal it shows what it would free and asks first.`,
  'pool-key-list.summary': 'List the passphrases of the pool by name',
  'pool-key-list.help': 'Lists the key slots: each is one passphrase that opens the pool.',
  'pool-key-add.summary': 'Add a passphrase',
  'pool-key-add.help':
    'Adds another passphrase under a name of small letters, digits and dashes. Opens with the old.',
  'pool-key-remove.summary': 'Remove a passphrase',
  'pool-key-remove.help': 'Removes a passphrase by its name. The last one cannot be removed.',
  'backup.summary': 'Take a recovery point of a directory or a disk',
  'backup.help': `Reads what changed since the newest point of the same name, host and path,
and stores what the pool does not have. The point is complete all the same. Files that could not
be read are named, and the exit code is then 6. Interrupting loses nothing that an earlier run
acknowledged.`,
  'restore.summary': 'Copy a point, or parts of it, into a directory',
  'restore.help': `Copies files out of a point. What is already there and complete is not
copied again, so an interrupted restore goes on. Often "plug" is all you need: it takes a
second.`,
  'points.summary': 'List the recovery points, newest first',
  'points.help': `A point is named by the last characters of its id, by "latest",
"latest:NAME", or by a time such as "2 hours ago", "yesterday" or "2026-03-01 14:05": the newest
one at or before it.`,
  'points-delete.summary': 'Delete recovery points',
  'points-delete.help':
    'Shows the points and asks before it deletes them. Their space comes back with "pool gc".',
  'ls.summary': 'List the files in a point',
  'ls.help': 'Lists a directory of a point, or one file.',
  'find.summary': 'Find files by name in all points, newest first',
  'find.help': `A pattern without "/" is compared with the name, one with "/" with the path;
"*" and "?" stand for anything but "/", "**" for everything. Each state of a file is listed
once, with the newest point that has it.`,
  'diff.summary': 'Show what changed between two points',
  'diff.help':
    'One line per change: A added, D deleted, M content, T only owner, mode, time or attributes.',
  'cat.summary': 'Write a file of a point to stdout',
  'cat.help': 'Writes the bytes of one file.',
  'plug.summary': 'Plug a point as a disk, within a second',
  'plug.help': `Makes a disk of this machine out of a point and mounts it. You can write to it:
that goes to an overlay, never to the point. Needs root; "--nbd --no-attach" does not.`,
  'media.summary': 'List the plugged disks',
  'media.help': 'Lists the media of this pool and where they are.',
  'eject.summary': 'Unplug a disk',
  'eject.help': `Unmounts the disk and forgets what was written to it, unless --keep is given.
A medium is named by the last characters of its id, or by where it is mounted.`,
  'clone.summary': 'Plug a copy of a plugged disk, with its writes',
  'clone.help':
    'Makes a second disk that begins as the first one is now. From then on each is its own.',
  'seal.summary': 'Make a new point of a plugged disk',
  'seal.help': 'Keeps what was written to the disk as a new recovery point of kind volume.',
  'demo.summary': 'See it all work on sample files, in a minute',
  'demo.help': `Makes sample files and a pool in a temporary directory, backs up, changes,
plugs the points as disks, and removes everything again.`,
  'completion.summary': 'Print a completion script for your shell',
  'completion.help': 'bash: put the output into /etc/bash_completion.d/openmaas, or source it.',
  'help.summary': 'Show help for a command or a topic',
  'help.help': 'Topics: exit-codes, environment.',
  'topic.exit-codes': `Exit codes

  0    done
  1    something unforeseen
  2    the command line is wrong, or this machine cannot do it
  3    not found: a pool, a point, a path
  4    not allowed: passphrase, permissions, a lock date
  5    conflict: in use, already there
  6    done, with warnings: some files could not be taken or restored
  7    a job failed; no space, or another limit reached
  8    took too long
  9    not reachable: a server, a disk or an engine does not answer
  10   damage found, or a proof failed
  130  interrupted

They are stable: scripts may rely on them.`,
  'topic.environment': `Environment

  OPENMAAS_POOL             the pool, as --pool
  OPENMAAS_PASSPHRASE_FILE  as --passphrase-file
  OPENMAAS_LANES            as --lanes
  OPENMAAS_LANG             as --lang; else LC_ALL, LC_MESSAGES, LANG
  OPENMAAS_CONTEXT          as --context
  OPENMAAS_SERVER           the server, where there is no context: https://backup:8730
  OPENMAAS_TOKEN_FILE       file that holds the token for that server
  OPENMAAS_FINGERPRINT      the fingerprint of that server
  OPENMAAS_NODE             the Node.js to run with
  NO_COLOR                  no colors

Flags go before the environment, and that before ~/.config/openmaas/config.yaml and
/etc/openmaas/config.yaml, which hold lines such as

  pool: /backup/pool
  passphrase_file: /etc/openmaas/passphrase
  lanes: 4
  lang: en

A passphrase is never taken from a command line or from a variable: other users could see it.`,
  'reference.title': 'The openmaas command',
  'reference.generated':
    'Generated by `npm run generate` from packages/cli/src/program/tree.ts; do not edit.',
  'reference.jsonTitle': 'Output for programs',
  'reference.json': `Data goes to stdout; progress, notes, warnings and errors go to stderr.
Into a pipe, tables lose their heading, columns are separated by tabs, and numbers and times are
bare (bytes, RFC 3339). With --json a command prints one JSON object or one array, and a failure
is one object on stderr, as below; codes are listed in [errors.md](errors.md). A path that is
not UTF-8 has \`pathBytes\` (base64) beside \`path\`.`,
} as const
