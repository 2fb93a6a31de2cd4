/** `… list` and `… show` of every noun. */
import { isMaasError } from '@openmaas/kernel/errors'
import { findId, findMediumId, findPointId, KINDS, timeOf } from './names.ts'
import type { KindName } from './names.ts'
import { NOUNS } from './nouns.ts'
import type { FilterSpec, Noun, NounName } from './nouns.ts'
import { ProblemError, translated } from './problem-error.ts'
import { textOf } from './server.ts'
import type { Row, Server, ServerRun } from './server.ts'
import { labelsOf, showRow, showRows } from './show.ts'
import type { Names } from './show.ts'

/** Rows shown unless --limit says otherwise: a few screens. */
const LIMIT_DEFAULT = 100
const LIMIT_MAX = 1_000_000
/** Names looked up for a list; beyond them ids are shown. */
const NAMES_MAX = 1000

async function filterValue(server: Server, filter: FilterSpec): Promise<string | undefined> {
  const { input } = server
  const { option, finds, as } = filter
  if (as === 'labels') {
    const pairs = Object.entries(labelsOf(input, option)).map(([key, value]) => `${key}=${value}`)
    return pairs.length === 0 ? undefined : pairs.join(',')
  }
  const text = input.text(option)
  if (text === undefined) return undefined
  if (finds !== undefined) return findId(server, finds, text)
  return as === 'time' ? timeOf(text, server, option) : text
}

async function queryOf(server: Server, noun: Noun): Promise<Record<string, string>> {
  const query: Record<string, string> = {}
  for (const filter of noun.filters) {
    const value = await filterValue(server, filter)
    if (value !== undefined) query[filter.query] = value
  }
  // What has ended is history: --all shows it, and so does a state that is asked for.
  if (noun.present !== undefined && !server.input.has('all') && !('filter[state]' in query)) {
    Object.assign(query, noun.present)
  }
  const sort = server.input.text('sort')
  return sort === undefined ? query : { ...query, sort }
}

/** Whoever may not list hosts sees their ids; so does one whose server knows no such list. */
export async function loadNames(server: Server, kinds: readonly KindName[]): Promise<Names> {
  const names = new Map<string, string>()
  for (const kind of kinds) {
    try {
      const { rows } = await translated(() =>
        server.list(KINDS[kind].list, {}, { limit: NAMES_MAX }),
      )
      for (const row of rows) names.set(textOf(row['id']), textOf(row['name']))
    } catch (error) {
      const isRefused = error instanceof ProblemError && error.category === 'denied'
      if (!isRefused && !isMaasError(error, 'ROUTE_NOT_FOUND')) throw error
    }
  }
  return names
}

export async function showList(server: Server, name: NounName, params: object = {}): Promise<void> {
  const { site, input } = server
  const noun: Noun = NOUNS[name]
  const limit = input.integer('limit', { min: 1, max: LIMIT_MAX }) ?? LIMIT_DEFAULT
  const { rows, more } = await server.list(noun.list, await queryOf(server, noun), {
    params,
    limit,
  })
  const isTable = !['json', 'yaml', 'name'].includes(input.text('output') ?? '') && !site.out.json
  const names =
    isTable && rows.length > 0 ? await loadNames(server, noun.references ?? []) : new Map()
  const { idField } = noun
  showRows(noun.columns, rows, { site, input, names, ...(idField !== undefined && { idField }) })
  if (rows.length === 0 && isTable) site.out.note(site.text('list.none'))
  if (more) site.out.note(site.text('list.more', { limit }))
}

export const listOf =
  (name: NounName): ServerRun =>
  (server) =>
    showList(server, name)

/** The id of what the first argument names. */
export async function findObject(server: Server, name: NounName, text: string): Promise<string> {
  if (name === 'point') return findPointId(server, text)
  if (name === 'media') return findMediumId(server, text)
  return name in KINDS ? findId(server, name as KindName, text) : text
}

export async function loadObject(
  server: Server,
  name: NounName,
  text: string,
): Promise<{ body: Row; etag: string; id: string }> {
  const noun: Noun = NOUNS[name]
  const id = await findObject(server, name, text)
  const params = { [noun.param ?? 'id']: id }
  return { ...(await server.request(noun.get!, { params })), id }
}

export const showOf =
  (name: NounName): ServerRun =>
  async (server, input, site) => {
    const { body } = await loadObject(server, name, input.positionals[0]!)
    showRow(body, { site, input })
  }
