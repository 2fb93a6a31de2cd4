/** Objects as people name them: by id, by name, by host/name for a source, by where a disk is. */
import { idPattern } from '@openmaas/api/ids'
import type { ControlKind } from '@openmaas/api/ids'
import type { RouteName } from '@openmaas/api/routes/routes'
import { MaasError } from '@openmaas/kernel/errors'
import { formatMoment, isCut, parseWhen } from '../format/when.ts'
import { textOf } from './server.ts'
import type { Row, Server } from './server.ts'

/** Candidates looked at and named when a name is not unique. */
const CANDIDATES_MAX = 5

interface Kind {
  readonly id: ControlKind | 'pool'
  readonly list: RouteName
  readonly noun: string
}

export const KINDS = {
  source: { id: 'source', list: 'listSources', noun: 'source' },
  host: { id: 'host', list: 'listHosts', noun: 'host' },
  pool: { id: 'pool', list: 'listPools', noun: 'pool' },
  vdb: { id: 'virtualDatabase', list: 'listVirtualDatabases', noun: 'virtual database' },
  group: { id: 'consistencyGroup', list: 'listGroups', noun: 'group' },
  policy: { id: 'policy', list: 'listPolicies', noun: 'policy' },
  user: { id: 'user', list: 'listUsers', noun: 'user' },
  webhook: { id: 'webhook', list: 'listWebhooks', noun: 'webhook' },
  channel: { id: 'channel', list: 'listChannels', noun: 'channel' },
  notifyRule: { id: 'notifyRule', list: 'listNotificationRules', noun: 'rule' },
} as const satisfies Record<string, Kind>
export type KindName = keyof typeof KINDS

function notFound(noun: string, text: string): MaasError {
  return new MaasError('OBJECT_NOT_FOUND', `there is no ${noun} "${text}"`, { noun, name: text })
}

function ambiguous(noun: string, text: string, rows: readonly Row[]): MaasError {
  const candidates = rows.map((row) => textOf(row['id']))
  const message = `"${text}" names more than one ${noun}: ${candidates.join(', ')}`
  return new MaasError('OBJECT_AMBIGUOUS', message, { noun, name: text, candidates })
}

/** @throws MaasError OBJECT_NOT_FOUND, OBJECT_AMBIGUOUS */
export async function findId(server: Server, kind: KindName, text: string): Promise<string> {
  const { id, list, noun }: Kind = KINDS[kind]
  if (idPattern(id).test(text)) return text
  const slash = text.indexOf('/')
  const query: Record<string, string> = { 'filter[name]': text }
  if (kind === 'source' && slash > 0) {
    query['filter[hostId]'] = await findId(server, 'host', text.slice(0, slash))
    query['filter[name]'] = text.slice(slash + 1)
  }
  // A name is free again once its virtual database has ended.
  if (kind === 'vdb') query['filter[active]'] = 'true'
  const { rows } = await server.list(list, query, { limit: CANDIDATES_MAX })
  // Agent and node of one machine have one name; whoever is gone is not meant.
  const present = rows.filter((row) => row['state'] !== 'removed')
  const meant = kind === 'host' && present.length > 1 ? present.filter(isAgent) : present
  if (meant[0] === undefined) throw notFound(noun, text)
  if (meant.length > 1) throw ambiguous(noun, text, meant)
  return textOf(meant[0]['id'])
}

const isAgent = (row: Row): boolean => row['kind'] === 'agent'

/** A time as people write it, in RFC 3339. @throws MaasError USAGE */
export function timeOf(text: string, server: Server, option: string): string {
  const { clock, text: say } = server.site
  const at = parseWhen(text, clock.wallMs())
  if (at !== undefined) return at.toISOString()
  throw new MaasError('USAGE', say('usage.time', { option, value: text }), { option })
}

/**
 * The value of `--at`, and a line that tells how it was understood, before anything begins.
 *
 * @throws MaasError USAGE
 */
export function momentTold(text: string, server: Server): string {
  const { out, text: say } = server.site
  const at = timeOf(text, server, 'at')
  const moment = formatMoment(new Date(at))
  // With --json what stands on stderr is JSON.
  if (!out.json) out.note(say(isCut(text) ? 'moment.atCut' : 'moment.at', { moment }))
  return at
}

/**
 * A point by its id, or a source with or without a time: `home`, `web-1/home`, `home@yesterday`.
 *
 * @param at the newest point not after it
 * @throws MaasError OBJECT_NOT_FOUND, OBJECT_AMBIGUOUS, USAGE
 */
export async function findPointId(server: Server, text: string, at?: string): Promise<string> {
  if (idPattern('point').test(text)) return text
  const sign = text.lastIndexOf('@')
  const name = (sign > 0 ? text.slice(0, sign) : text).replace(/^latest:/, '')
  const when = at ?? (sign > 0 ? text.slice(sign + 1) : undefined)
  const sourceId = await findId(server, 'source', name)
  const until = when === undefined ? {} : { 'filter[until]': untilOf(when, server, at) }
  const query = { 'filter[sourceId]': sourceId, 'filter[state]': 'available', sort: '-takenAt' }
  const { rows } = await server.list('listPoints', { ...query, ...until }, { limit: 1 })
  if (rows[0] === undefined) throw notFound('point of the source', text)
  return textOf(rows[0]['id'])
}

/** What is written behind @ is told only when it is given as --at. */
function untilOf(when: string, server: Server, at: string | undefined): string {
  return at === undefined ? timeOf(when, server, 'at') : momentTold(when, server)
}

/** A medium by id, by name, or by where it is mounted. */
export async function findMediumId(server: Server, text: string): Promise<string> {
  if (idPattern('medium').test(text)) return text
  const query = { 'filter[state]': 'plugging,plugged,ejecting,failed,lost' }
  const { rows } = await server.list('listMedia', query, { limit: 1000 })
  const meant = rows.filter(
    (row) => row['name'] === text || row['mountPath'] === text || row['device'] === text,
  )
  // Attempts that failed leave a record with the same place: what is there now is meant.
  const present = meant.filter((row) => row['state'] !== 'failed')
  const [first, second] = present.length > 0 ? present : meant
  if (first === undefined) throw notFound('medium', text)
  if (second !== undefined) throw ambiguous('medium', text, meant)
  return textOf(first['id'])
}
