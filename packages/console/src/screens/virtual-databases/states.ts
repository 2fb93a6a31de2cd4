/** What a virtual database can be asked for in the state that it is in. */
import type { Permission } from '@openmaas/api/permissions'
import type {
  VirtualDatabase,
  VirtualDatabaseState,
} from '@openmaas/api/resources/virtual-database'

/** Something is done with it: the next look may differ. */
const CHANGING: ReadonlySet<VirtualDatabaseState> = new Set([
  'creating',
  'stopping',
  'starting',
  'refreshing',
  'resetting',
  'promoting',
  'dropping',
])

export const isChanging = (state: VirtualDatabaseState): boolean => CHANGING.has(state)

export type Verb =
  | 'connect'
  | 'refresh'
  | 'reset'
  | 'bookmark'
  | 'branch'
  | 'stop'
  | 'start'
  | 'extend'
  | 'edit'
  | 'keep'
  | 'pause'
  | 'resume'
  | 'open'
  | 'promote'
  | 'drop'
  | 'drop-keep-data'
  | 'force-drop'

type Facts = Pick<
  VirtualDatabase,
  'state' | 'endedAt' | 'kept' | 'port' | 'problem' | 'liveSync' | 'sync' | 'directory'
>

const STATES: Readonly<
  Record<'refresh' | 'bookmark' | 'stop' | 'start', readonly VirtualDatabaseState[]>
> = {
  refresh: ['running', 'stopped', 'lost'],
  bookmark: ['running', 'stopped'],
  stop: ['running'],
  start: ['stopped', 'lost'],
}

function isPossible(verb: Verb, facts: Facts): boolean {
  const { state, endedAt, kept, port, problem, liveSync, sync, directory } = facts
  const isHere = endedAt === null && state !== 'dropping'
  // One that was moved to a directory has no clone to go back on; one that follows, no own state.
  const hasClone = directory === null
  const hasOwnLife = hasClone && !liveSync
  const isPaused = sync?.state === 'paused'
  switch (verb) {
    case 'refresh':
      return hasClone && STATES.refresh.includes(state)
    case 'reset':
      return hasOwnLife && STATES.refresh.includes(state)
    case 'bookmark':
    case 'branch':
    case 'promote':
      return hasOwnLife && STATES.bookmark.includes(state)
    case 'stop':
    case 'start':
      return STATES[verb].includes(state)
    case 'pause':
    case 'resume':
      return liveSync && state === 'running' && isPaused === (verb === 'resume')
    case 'open':
      return liveSync && STATES.refresh.includes(state)
    case 'connect':
      return isHere && port !== null
    case 'extend':
      return isHere && hasClone
    case 'edit':
    case 'keep':
      return isHere
    case 'drop':
      return !kept && isHere
    case 'drop-keep-data':
      return !kept && isHere && directory !== null
    case 'force-drop':
      return !kept && endedAt === null && (state === 'lost' || problem !== null)
  }
}

const NEEDS: Readonly<Record<Verb, Permission>> = {
  connect: 'virtual-database.connect',
  refresh: 'virtual-database.operate',
  reset: 'virtual-database.operate',
  bookmark: 'virtual-database.operate',
  branch: 'virtual-database.create',
  stop: 'virtual-database.operate',
  start: 'virtual-database.operate',
  extend: 'virtual-database.operate',
  edit: 'virtual-database.operate',
  keep: 'virtual-database.operate',
  pause: 'virtual-database.operate',
  resume: 'virtual-database.operate',
  open: 'virtual-database.operate',
  promote: 'virtual-database.promote',
  drop: 'virtual-database.drop',
  'drop-keep-data': 'virtual-database.drop',
  'force-drop': 'virtual-database.drop',
}

/** Who may do what to it, now. */
export function canDo(
  verb: Verb,
  database: Facts,
  may: (permission: Permission) => boolean,
): boolean {
  return may(NEEDS[verb]) && isPossible(verb, database)
}
