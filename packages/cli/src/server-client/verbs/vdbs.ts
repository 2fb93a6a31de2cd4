/** Verbs of virtual databases. */
import { hostname } from 'node:os'
import { idPattern } from '@openmaas/api/ids'
import type { JobDetail } from '@openmaas/api/resources/job'
import { MaasError } from '@openmaas/kernel/errors'
import { parseDuration } from '../../format/time.ts'
import { assertionsOf } from '../assertions.ts'
import { followJob } from '../job-watch.ts'
import { listOf, showOf } from '../lists.ts'
import { findId, findPointId, timeOf } from '../names.ts'
import { onServer, textOf } from '../server.ts'
import type { Row, Server, ServerRun } from '../server.ts'
import { formatOf, labelsOf, showRow } from '../show.ts'

export const list = onServer(listOf('vdb'))
export const show = onServer(showOf('vdb'))

const CONNECTION_FORMATS = ['env', 'url', 'jdbc', 'odbc', 'command'] as const
const BOOKMARKS_MAX = 1000

const find = (server: Server): Promise<string> =>
  findId(server, 'vdb', server.input.positionals[0]!)

/** `--drop-after 2h`; `never` keeps it. */
function lifetimeOf({ input }: Server, option: string): Row {
  const text = input.text(option)
  if (text === undefined) return {}
  if (text === 'never') return { lifetimeSeconds: null }
  const durationMs = parseDuration(text)
  if (durationMs !== undefined) return { lifetimeSeconds: Math.round(durationMs / 1000) }
  throw new MaasError('USAGE', `--${option} wants a time such as 2h, not "${text}"`, { option })
}

function momentOf(server: Server): Row {
  const { input } = server
  const at = input.text('at')
  const transaction = input.text('transaction')
  const position = input.text('position')
  return {
    ...(at !== undefined && { at: timeOf(at, server, 'at') }),
    ...(transaction !== undefined && { transaction }),
    ...(position !== undefined && { position }),
  }
}

function instanceOf(server: Server): Row {
  const { input } = server
  const port = input.integer('port', { min: 1, max: 65_535 })
  const quotaBytes = input.size('quota')
  return {
    ...lifetimeOf(server, 'drop-after'),
    ...(port !== undefined && { port }),
    ...(input.has('listen') && { listen: input.list('listen') }),
    ...(input.has('user') && { user: input.text('user') }),
    ...(quotaBytes !== undefined && { quotaBytes }),
    ...(input.has('for') && { purpose: input.text('for') }),
    settings: labelsOf(input, 'set'),
    labels: labelsOf(input, 'label'),
  }
}

/** Of what it is for, or of what it is made of, and the moment: names of active ones are unique. */
function nameFor({ input, site }: Server, of: string): string {
  const given = input.text('name')
  if (given !== undefined) return given
  const moment = new Date(site.clock.wallMs()).toISOString().slice(0, 19)
  return `${input.text('for') ?? of} ${moment}`
}

/** For a POSIX shell. */
const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`

/** In the form asked for; all of it without one. */
async function showConnection(server: Server, virtualDatabaseId: string): Promise<void> {
  const { input, site } = server
  const { body } = await server.request('revealConnection', { params: { virtualDatabaseId } })
  const format = input.choice('format', CONNECTION_FORMATS)
  if (format === undefined) showRow(body, { site, input, idField: 'url' })
  else if (format === 'env') {
    const facts = body['environment'] as Record<string, string>
    const all = { OPENMAAS_VDB: virtualDatabaseId, ...facts }
    for (const [name, value] of Object.entries(all)) {
      site.out.line(`export ${name}=${quoted(value)}`)
    }
  } else site.out.line(textOf(body[format]))
}

async function showReady(server: Server, virtualDatabaseId: string): Promise<void> {
  const { input, site } = server
  if (input.has('format')) {
    await showConnection(server, virtualDatabaseId)
    return
  }
  const { out, text } = site
  const { body } = await server.request('getVirtualDatabase', { params: { virtualDatabaseId } })
  const [name, port] = [textOf(body['name']), textOf(body['port'])]
  if (!out.isTerminal) out.line(`${virtualDatabaseId}\t${port}`)
  else {
    out.say(text('vdb.ready', { name, port }))
    out.say(text('vdb.connect', { id: virtualDatabaseId }))
  }
}

export const create = onServer(async (server, input, site) => {
  const of = input.positionals[0]!
  const isPoint = idPattern('point').test(of)
  const every = input.text('refresh-every')
  const approvalId = input.text('approval')
  const reason = input.text('reason')
  const body = {
    ...(isPoint ? { pointId: of } : { sourceId: await findId(server, 'source', of) }),
    ...momentOf(server),
    ...instanceOf(server),
    name: nameFor(server, of),
    hostId: await findId(server, 'host', input.text('to') ?? hostname()),
    ...(every !== undefined && { autoRefresh: { every } }),
    ...(approvalId !== undefined && { approvalId }),
    ...(reason !== undefined && { reason }),
  }
  if (input.has('dry-run')) {
    const planned = await server.request('createVirtualDatabase', { body, dryRun: true })
    showRow(planned.body, { site, input })
    return 0
  }
  const { body: started } = await server.request('createVirtualDatabase', { body })
  return followJob(server, started, () => showReady(server, textOf(started['virtualDatabaseId'])))
})

export const connect = onServer(async (server) => showConnection(server, await find(server)))

type ReadyVerb = 'refreshVirtualDatabase' | 'resetVirtualDatabase' | 'startVirtualDatabase'

/** A verb that ends with a database that is ready. */
function verb(
  route: ReadyVerb,
  bodyOf: (server: Server, id: string) => Promise<Row> | Row,
): ServerRun {
  return async (server) => {
    const virtualDatabaseId = await find(server)
    const body = await bodyOf(server, virtualDatabaseId)
    const { body: started } = await server.request(route, { params: { virtualDatabaseId }, body })
    return followJob(server, started, () => showReady(server, virtualDatabaseId))
  }
}

async function bookmarkOf(server: Server, id: string, text = server.input.text('bookmark')) {
  if (text === undefined) return null
  if (idPattern('bookmark').test(text)) return text
  const params = { virtualDatabaseId: id }
  const { rows } = await server.list('listBookmarks', {}, { params, limit: BOOKMARKS_MAX })
  const found = rows.find((row) => row['name'] === text)
  if (found !== undefined) return textOf(found['id'])
  throw new MaasError('OBJECT_NOT_FOUND', `there is no bookmark "${text}"`, { name: text })
}

export const refresh = onServer(verb('refreshVirtualDatabase', momentOf))
export const start = onServer(verb('startVirtualDatabase', () => ({})))
export const reset = onServer(
  verb('resetVirtualDatabase', async (server, id) => ({
    bookmarkId: await bookmarkOf(server, id),
  })),
)

export const stop = onServer(async (server, input, site) => {
  const virtualDatabaseId = await find(server)
  const params = { virtualDatabaseId }
  const body = { immediate: input.has('force') }
  const { body: started } = await server.request('stopVirtualDatabase', { params, body })
  return followJob(server, started, () => {
    site.out.note(site.text('vdb.stopped', { id: virtualDatabaseId }))
  })
})

/** With a name one is made, without it they are listed. */
export const bookmark = onServer(async (server, input, site) => {
  const virtualDatabaseId = await find(server)
  const params = { virtualDatabaseId }
  const name = input.positionals[1]
  if (name === undefined) {
    const { rows } = await server.list('listBookmarks', {}, { params, limit: BOOKMARKS_MAX })
    if (formatOf(input, site) === 'table') for (const row of rows) site.out.line(lineOf(row))
    else site.out.value(rows)
    return 0
  }
  if (input.has('delete')) {
    const bookmarkId = await bookmarkOf(server, virtualDatabaseId, name)
    const { body } = await server.request('deleteBookmark', { params: { ...params, bookmarkId } })
    return followJob(server, body, () => undefined)
  }
  const { body: started } = await server.request('createBookmark', { params, body: { name } })
  return followJob(server, started, () => site.out.line(textOf(started['bookmarkId'])))
})

const lineOf = (row: Row): string =>
  ['id', 'name', 'state', 'takenAt'].map((field) => textOf(row[field])).join('\t')

export const branch = onServer(async (server, input) => {
  const virtualDatabaseId = await find(server)
  const to = input.text('to')
  const body = {
    ...instanceOf(server),
    name: nameFor(server, input.positionals[0]!),
    hostId: to === undefined ? null : await findId(server, 'host', to),
    bookmarkId: await bookmarkOf(server, virtualDatabaseId),
  }
  const params = { virtualDatabaseId }
  const { body: started } = await server.request('branchVirtualDatabase', { params, body })
  return followJob(server, started, () => showReady(server, textOf(started['virtualDatabaseId'])))
})

export const extend = onServer(async (server, input, site) => {
  const lifetime = lifetimeOf(server, 'ttl')
  if (!('lifetimeSeconds' in lifetime)) {
    throw new MaasError('USAGE', '"openmaas vdb extend" wants --ttl', { option: 'ttl' })
  }
  const params = { virtualDatabaseId: await find(server) }
  const { body } = await server.request('extendVirtualDatabase', { params, body: lifetime })
  showRow(body, { site, input })
})

export const drop = onServer(async (server, input, site) => {
  const virtualDatabaseId = await find(server)
  const params = { virtualDatabaseId }
  const body = { force: input.has('force') }
  if (input.has('dry-run')) {
    const planned = await server.request('dropVirtualDatabase', { params, body, dryRun: true })
    showRow(planned.body, { site, input })
    return 0
  }
  const { body: started } = await server.request('dropVirtualDatabase', { params, body })
  return followJob(server, started, () => {
    site.out.note(site.text('vdb.dropped', { id: virtualDatabaseId }))
  })
})

export const verify = onServer(async (server, input) => {
  const pointId = await findPointId(server, input.positionals[0]!, input.text('at'))
  const to = input.text('to')
  const assertions = assertionsOf(input)
  const hostId = to === undefined ? null : await findId(server, 'host', to)
  const body = { assertions, hostId }
  const { body: started } = await server.request('verifyDatabasePoint', {
    params: { pointId },
    body,
  })
  return followJob(server, started, (job) => showChecks(server, job))
})

/** What failed, each in a line; how many there were. */
function showChecks({ site: { out, text } }: Server, job: Pick<JobDetail, 'result' | 'id'>): void {
  const { checks = [], pointId } = job.result as {
    readonly checks?: readonly { readonly name: string; readonly ok: boolean }[]
    readonly pointId?: string
  }
  const failed = checks.filter(({ ok }) => !ok) as Row[]
  for (const each of failed) {
    out.error(
      text('vdb.checkFailed', { name: textOf(each['name']), why: textOf(each['evidence']) }),
    )
  }
  if (!out.isTerminal) out.line(pointId ?? job.id)
  else if (failed.length === 0) out.say(text('vdb.verified', { count: checks.length }))
}
