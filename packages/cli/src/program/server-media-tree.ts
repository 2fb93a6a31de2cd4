/** Commands of a server about media and jobs. */
import type { CommandSpec, OptionSpec, Run } from './spec.ts'
import {
  AT,
  filter,
  LABEL,
  LIMIT,
  LIST,
  NAME,
  onServer,
  POOL_NAME,
  RATE,
  TTL,
  WAIT,
} from './server-options.ts'

const media = async (name: keyof typeof import('../server-client/verbs/media.ts')): Promise<Run> =>
  (await import('../server-client/verbs/media.ts'))[name]
const jobs = async (name: keyof typeof import('../server-client/verbs/jobs.ts')): Promise<Run> =>
  (await import('../server-client/verbs/jobs.ts'))[name]

/** Of everything that plugs a point as a medium. */
export const PLUG: readonly OptionSpec[] = [
  AT,
  { name: 'to', value: '<host>', summary: 'server.option.to-host' },
  { name: 'path', value: '<dir>', summary: 'server.option.mount-path' },
  TTL,
  { name: 'read-only', summary: 'server.option.read-only' },
  { name: 'no-mount', summary: 'server.option.no-mount' },
  {
    name: 'protocol',
    value: '<auto|local|nbd>',
    completes: ['auto', 'local', 'nbd'],
    summary: 'server.option.protocol',
  },
  { name: 'quota', value: '<size>', summary: 'option.quota' },
  RATE,
  NAME,
  { name: 'purpose', value: '<text>', summary: 'server.option.purpose' },
  LABEL,
  ...WAIT,
]
export const FORCE: OptionSpec = { name: 'force', summary: 'option.force' }
const JOB_STATES = ['queued', 'running', 'paused', 'succeeded', 'warning', 'failed', 'cancelled']
const MEDIUM_STATES = ['plugging', 'plugged', 'ejecting', 'ejected', 'failed', 'lost']

const JOBS: readonly CommandSpec[] = [
  onServer({
    path: 'job list',
    options: [
      filter('state', '<state>', JOB_STATES),
      filter('kind', '<kind>'),
      filter('source', '<source>'),
      filter('host', '<host>'),
      POOL_NAME,
      filter('from', '<time>'),
      filter('until', '<time>'),
      LABEL,
      ...LIST,
    ],
    summary: 'server.job-list',
    examples: ['job list --state failed', "job list --from '24 h ago'"],
    run: () => jobs('list'),
  }),
  onServer({
    path: 'job calendar',
    options: [filter('from', '<time>'), filter('until', '<time>')],
    summary: 'server.job-calendar',
    help: 'server.job-calendar.help',
    examples: ['job calendar', "job calendar --from '24 h ago'"],
    run: () => jobs('calendar'),
  }),
  onServer({
    path: 'job show',
    usage: '<job>',
    summary: 'server.job-show',
    examples: ['job show job_01KD…'],
    run: () => jobs('show'),
  }),
  onServer({
    path: 'job watch',
    usage: '[job]',
    options: WAIT,
    summary: 'server.job-watch',
    help: 'server.job-watch.help',
    examples: ['job watch', 'job watch job_01KD…'],
    run: () => jobs('watch'),
  }),
  onServer({
    path: 'job log',
    usage: '[job]',
    options: [LIMIT],
    summary: 'server.job-log',
    examples: ['job log job_01KD…'],
    run: () => jobs('log'),
  }),
  onServer({
    path: 'job cancel',
    usage: '<job>',
    options: WAIT,
    summary: 'server.job-cancel',
    examples: ['job cancel job_01KD…'],
    run: () => jobs('cancel'),
  }),
  onServer({
    path: 'job retry',
    usage: '<job>',
    options: WAIT,
    summary: 'server.job-retry',
    examples: ['job retry job_01KD…'],
    run: () => jobs('retry'),
  }),
]

const MEDIA: readonly CommandSpec[] = [
  onServer({
    path: 'media list',
    options: [
      filter('state', '<state>', MEDIUM_STATES),
      filter('host', '<host>'),
      filter('source', '<source>'),
      filter('name', '<name>'),
      { name: 'all', summary: 'server.option.all' },
      LABEL,
      ...LIST,
    ],
    summary: 'server.media-list',
    examples: ['media list --state plugged'],
    run: () => media('list'),
  }),
  onServer({
    path: 'media show',
    usage: '<medium>',
    summary: 'server.media-show',
    examples: ['media show /mnt/home'],
    run: () => media('show'),
  }),
  onServer({
    path: 'media plug',
    usage: '<source|point>',
    options: PLUG,
    summary: 'server.mount',
    help: 'server.mount.help',
    examples: ['media plug home --to web-2 --ttl 24h'],
    run: () => media('plug'),
  }),
  onServer({
    path: 'media eject',
    usage: '<medium>',
    options: [FORCE, ...WAIT],
    summary: 'server.umount',
    examples: ['media eject /mnt/home'],
    run: () => media('eject'),
  }),
  onServer({
    path: 'media extend',
    usage: '<medium>',
    options: [TTL],
    summary: 'server.media-extend',
    examples: ['media extend /mnt/home --ttl 7d'],
    run: () => media('extend'),
  }),
]

export const JOB_AND_MEDIUM_COMMANDS: readonly CommandSpec[] = [...MEDIA, ...JOBS]
