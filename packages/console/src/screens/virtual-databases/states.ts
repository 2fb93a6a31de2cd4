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
  | 'drop'
  | 'force-drop'

type Facts = Pick<VirtualDatabase, 'state' | 'endedAt' | 'kept' | 'port' | 'problem'>

const STATES: Readonly<
  Record<'refresh' | 'bookmark' | 'stop' | 'start', readonly VirtualDatabaseState[]>
> = {
  refresh: ['running', 'stopped', 'lost'],
  bookmark: ['running', 'stopped'],
  stop: ['running'],
  start: ['stopped', 'lost'],
}

function isPossible(verb: Verb, { state, endedAt, kept, port, problem }: Facts): boolean {
  const isHere = endedAt === null && state !== 'dropping'
  switch (verb) {
    case 'refresh':
    case 'reset':
      return STATES.refresh.includes(state)
    case 'bookmark':
    case 'branch':
      return STATES.bookmark.includes(state)
    case 'stop':
    case 'start':
      return STATES[verb].includes(state)
    case 'connect':
      return isHere && port !== null
    case 'extend':
    case 'edit':
    case 'keep':
      return isHere
    case 'drop':
      // A drop that failed half way is ended by another one.
      return !kept && isHere
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
  drop: 'virtual-database.drop',
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
