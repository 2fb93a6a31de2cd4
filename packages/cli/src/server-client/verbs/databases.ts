/** Verbs of databases: looked at, protected, listed, and what can be recovered of them. */
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { objectNameFrom } from '@openmaas/api/object-name'
import { MaasError } from '@openmaas/kernel/errors'
import { fsError } from '@openmaas/kernel/fs-errors'
import { assertionsOf } from '../assertions.ts'
import { followJob } from '../job-watch.ts'
import { loadNames, loadObject } from '../lists.ts'
import { findId } from '../names.ts'
import { NOUNS } from '../nouns.ts'
import { ProblemError, translated } from '../problem-error.ts'
import { onServer, textOf } from '../server.ts'
import type { Row, Server } from '../server.ts'
import { formatOf, labelsOf, showRow, showRows } from '../show.ts'

const EXIT_DAMAGED = 10
/** Every agent knows them; plug-ins of hosts know more. */
const KINDS = ['postgres', 'mysql']
const KIND = /^[a-z][a-z0-9-]{0,31}$/
const PLAIN = new Set(['files', 'disk'])
/** Of a place that is a path: there is none. */
const PORT_NONE = 1
const PORTS: Readonly<Record<string, number>> = { postgres: 5432, mysql: 3306 }
const LIST_MAX = 1000

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const { code = 'EIO' } = error as NodeJS.ErrnoException
    throw fsError(code, 'read', path, error)
  }
}

/** @returns undefined for what is no place of a database of that kind */
function placeOf(text: string, kind: string): Row | undefined {
  if (text.startsWith('/')) return { host: text, port: PORTS[kind] ?? PORT_NONE }
  const match = /^(?:\[(?<v6>[^\]]+)\]|(?<name>[^:]+))(?::(?<port>\d+))?$/.exec(text)
  const host = match?.groups?.['v6'] ?? match?.groups?.['name']
  if (host === undefined) return undefined
  const port = Number(match?.groups?.['port'] ?? PORTS[kind])
  if (!Number.isNaN(port)) return { host, port }
  throw new MaasError('USAGE', `"${text}" wants a port: ${text}:port`)
}

function requirePlace(text: string, kind: string): Row {
  const place = placeOf(text, kind)
  if (place !== undefined) return place
  throw new MaasError('USAGE', `"${text}" is no host:port`)
}

/** `postgres db1:5432 --user backup --password-file f` → how production is reached. */
function connectionOf(server: Server): { kind: string; connection: Row } {
  const [kind = '', place = ''] = server.input.positionals
  if (!KIND.test(kind) || PLAIN.has(kind)) {
    const known = `${KINDS.join(', ')} or an engine that a plug-in of the host knows`
    throw new MaasError('USAGE', `a database is ${known}, not "${kind}"`)
  }
  const connection = {
    ...requirePlace(place, kind),
    user: 'openmaas',
    password: null,
    tls: 'off',
    ...loginOf(server),
  }
  return { kind, connection }
}

/** What options say of the user and of the connection, and nothing else. */
function loginOf({ input }: Server): Row {
  const user = input.text('user')
  const passwordFile = input.text('password-file')
  const tls = input.text('tls')
  const caFile = input.text('ca-file')
  return {
    ...(user !== undefined && { user }),
    ...(passwordFile !== undefined && { password: readText(passwordFile).trimEnd() }),
    ...(tls !== undefined && { tls }),
    ...(caFile !== undefined && { ca: readText(caFile) }),
  }
}

const hostOf = (server: Server): Promise<string> =>
  findId(server, 'host', server.input.text('on') ?? hostname())

export const check = onServer(async (server, input, site) => {
  const body = { ...connectionOf(server), hostId: await hostOf(server) }
  const { body: checked } = await server.request('checkDatabase', { body })
  const { out, text } = site
  if (formatOf(input, site) !== 'table') showRow(checked, { site, input })
  else {
    showRows(
      [
        { title: 'col.name', field: 'name' },
        { title: 'col.ok', field: 'ok', kind: 'flag' },
        { title: 'col.message', field: 'message' },
      ],
      checked['checks'] as Row[],
      { site, input, idField: 'name' },
    )
    for (const each of checked['checks'] as Row[]) {
      if (each['ok'] === true || textOf(each['remedy']) === '') continue
      out.note(text('database.remedy', { name: textOf(each['name']) }))
      out.note(textOf(each['remedy']))
    }
  }
  return checked['ok'] === true ? 0 : EXIT_DAMAGED
})

async function sourceOf(server: Server): Promise<Row> {
  const { input } = server
  const { kind, connection } = connectionOf(server)
  const policy = input.text('policy')
  const pool = input.text('pool-name')
  const volumeBytes = input.size('volume-size')
  const retainedLimitBytes = input.size('retained')
  const volumeMaxBytes = input.size('volume-max')
  return {
    name: input.text('name') ?? objectNameFrom(`${kind} ${input.positionals[1] ?? ''}`),
    kind,
    hostId: await hostOf(server),
    labels: labelsOf(input, 'label'),
    ...(policy !== undefined && {
      policyId: policy === 'none' ? null : await findId(server, 'policy', policy),
    }),
    ...(pool !== undefined && { poolId: await findId(server, 'pool', pool) }),
    database: {
      connection,
      synchronous: input.has('synchronous'),
      selfService: input.text('self-service') ?? 'off',
      assertions: assertionsOf(input),
      ...(volumeBytes !== undefined && { volumeBytes }),
      ...(volumeMaxBytes !== undefined && { volumeMaxBytes }),
      ...(retainedLimitBytes !== undefined && { retainedLimitBytes }),
    },
  }
}

/**
 * Makes the source; or takes up the one that the same line made before, when that has come to no
 * point yet: then what is said now holds, a mended password above all.
 */
async function beginSource(server: Server): Promise<{ source: Row; isNew: boolean }> {
  const wanted = await sourceOf(server)
  try {
    const { body } = await translated(() => server.request('createSource', { body: wanted }))
    return { source: body, isNew: true }
  } catch (error) {
    if (!(error instanceof ProblemError) || error.code !== 'NAME_TAKEN') throw error
    const query = { 'filter[name]': textOf(wanted['name']) }
    const [found] = (await server.list('listSources', query, { limit: 1 })).rows
    if (found === undefined || !isBegunBy(found, wanted)) throw error
    const { etag, id: sourceId } = await loadObject(server, 'source', textOf(found['id']))
    const { name: _name, kind: _kind, hostId: _hostId, database, ...rest } = wanted
    // The job that comes next tries the connection, and says more about it.
    const body = { ...rest, database: { ...(database as Row), check: false } }
    const wish = { params: { sourceId }, body, ifMatch: etag }
    return { source: (await server.request('changeSource', wish)).body, isNew: false }
  }
}

/** The same database on the same host. */
function isBegunBy(found: Row, wanted: Row): boolean {
  const { host, port } = (wanted['database'] as { connection: { host: string; port: number } })
    .connection
  const path = `${host.includes(':') ? `[${host}]` : host}:${port}`
  const isSame =
    found['kind'] === wanted['kind'] &&
    found['hostId'] === wanted['hostId'] &&
    found['path'] === path
  return isSame && found['lastPointId'] === null
}

/** Makes the source, and its first point: the copy and everything that follows from it. */
export const protect = onServer(async (server, _, site) => {
  const { source, isNew } = await beginSource(server)
  const { out, text } = site
  const [sourceId, name] = [textOf(source['id']), textOf(source['name'])]
  out.note(text(isNew ? 'database.added' : 'database.begun', { name, id: sourceId }))
  const params = { sourceId }
  const { body: started } = await server.request('protectSource', { params, body: {} })
  return followJob(server, started, () => {
    if (out.isTerminal) out.say(text('database.protected', { name }))
    else out.line(sourceId)
  })
})

/** Those of all hosts; whoever may not list hosts sees what every agent knows. */
async function kindsOf(server: Server): Promise<Set<string>> {
  const kinds = new Set(KINDS)
  try {
    const { rows } = await translated(() => server.list('listHosts', {}, { limit: LIST_MAX }))
    for (const { engines = [] } of rows as { readonly engines?: readonly Row[] }[]) {
      for (const { engine, problem } of engines) if (problem === '') kinds.add(textOf(engine))
    }
  } catch (error) {
    if (!(error instanceof ProblemError) || error.category !== 'denied') throw error
  }
  return kinds
}

/** What is protected stays; the standby takes the new way to production with its next point. */
export const change = onServer(async (server, input, site) => {
  const { body: before, etag, id } = await loadObject(server, 'source', input.positionals[0]!)
  const place = input.text('place')
  const login = loginOf(server)
  const at = place === undefined ? {} : requirePlace(place, textOf(before['kind']))
  const connection = { ...at, ...login }
  const synchronous = input.choice('synchronous', ['yes', 'no'])
  const selfService = input.text('self-service')
  const retainedLimitBytes = input.size('retained')
  const volumeBytes = input.size('volume-size')
  const volumeMaxBytes = input.size('volume-max')
  const isCleared = input.has('no-assert')
  if (isCleared && input.has('assert')) {
    throw new MaasError('USAGE', 'either --assert or --no-assert', { option: 'no-assert' })
  }
  const database = {
    ...(Object.keys(connection).length > 0 && { connection, check: !input.has('no-check') }),
    ...(synchronous !== undefined && { synchronous: synchronous === 'yes' }),
    ...(selfService !== undefined && { selfService }),
    ...(retainedLimitBytes !== undefined && { retainedLimitBytes }),
    ...((isCleared || input.has('assert')) && { assertions: assertionsOf(input) }),
    ...(volumeBytes !== undefined && { volumeBytes }),
    ...(volumeMaxBytes !== undefined && { volumeMaxBytes }),
  }
  if (Object.keys(database).length === 0) {
    throw new MaasError('USAGE', site.text('usage.change'))
  }
  const params = { sourceId: id }
  const body = { database }
  const { body: source } = await server.request('changeSource', { params, body, ifMatch: etag })
  const jobId = volumeBytes === undefined ? undefined : await growthOf(server, id)
  if (jobId === undefined) return showRow(source, { site, input })
  return followJob(server, { jobId }, async () => {
    const { body: grown } = await server.request('getSource', { params })
    showRow(grown, { site, input })
  })
})

/** The job that makes the volume larger; undefined where there is no volume yet. */
async function growthOf(server: Server, sourceId: string): Promise<string | undefined> {
  const query = { 'filter[kind]': 'grow-volume', 'filter[sourceId]': sourceId }
  const { rows } = await server.list('listJobs', query, { limit: 1 })
  const [newest] = rows
  return newest === undefined ? undefined : textOf(newest['id'])
}

export const list = onServer(async (server, input, site) => {
  const rows: Row[] = []
  for (const kind of await kindsOf(server)) {
    const page = await server.list('listSources', { 'filter[kind]': kind }, { limit: LIST_MAX })
    rows.push(...page.rows)
  }
  const names = await loadNames(server, ['host', 'policy'])
  showRows(NOUNS.database.columns, rows, { site, input, names })
  if (rows.length === 0 && formatOf(input, site) === 'table') site.out.note(site.text('list.none'))
})

/** Which seconds can be had. */
export const range = onServer(async (server, input, site) => {
  const sourceId = await findId(server, 'source', input.positionals[0]!)
  const { body } = await server.request('getRecoverRange', { params: { sourceId } })
  if (formatOf(input, site) !== 'table') {
    showRow(body, { site, input })
    return
  }
  showRows(
    [
      { title: 'col.from', field: 'from', kind: 'time' },
      { title: 'col.until', field: 'until', kind: 'time' },
    ],
    body['ranges'] as Row[],
    { site, input, idField: 'from' },
  )
})
