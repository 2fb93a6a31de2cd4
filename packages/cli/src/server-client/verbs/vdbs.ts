/** Verbs of virtual databases. */
import { hostname } from 'node:os'
import { idPattern } from '@openmaas/api/ids'
import { objectNameFrom } from '@openmaas/api/object-name'
import type { JobDetail } from '@openmaas/api/resources/job'
import { MaasError } from '@openmaas/kernel/errors'
import { formatBytes } from '@openmaas/kernel/units'
import { formatLocal, parseDuration } from '../../format/time.ts'
import { assertionsOf } from '../assertions.ts'
import { canAsk, confirm } from '../../program/terminal.ts'
import { confirmName, reasonOf, showPlan } from '../danger.ts'
import { printable } from '../../format/width.ts'
import { followJob } from '../job-watch.ts'
import { listOf } from '../lists.ts'
import { findId, findPointId } from '../names.ts'
import { onServer, textOf } from '../server.ts'
import type { Row, Server, ServerRun } from '../server.ts'
import { formatOf, labelsOf, showRow } from '../show.ts'
import { find, momentOf, showConnection, showReady } from './vdb-common.ts'
import { recoverProduction } from './vdb-life.ts'

export const list = onServer(listOf('vdb'))

const BOOKMARKS_MAX = 1000

/** `--drop-after 2h`; `never` keeps it. */
function lifetimeOf({ input, site }: Server, option: string): Row {
  const text = input.text(option)
  if (text === undefined) return {}
  if (text === 'never') return { lifetimeSeconds: null }
  const durationMs = parseDuration(text)
  if (durationMs !== undefined) return { lifetimeSeconds: Math.round(durationMs / 1000) }
  throw new MaasError('USAGE', site.text('usage.duration', { option, value: text }), { option })
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
  return objectNameFrom(`${input.text('for') ?? of} ${moment}`)
}

export const create = onServer(async (server, input, site) => {
  const of = input.positionals[0]!
  const isPoint = idPattern('point').test(of)
  const every = input.text('refresh-every')
  const approvalId = input.text('approval')
  const reason = input.text('reason')
  if (input.has('as-production')) return recoverProduction(server, nameFor(server, of))
  const body = {
    ...(isPoint ? { pointId: of } : { sourceId: await findId(server, 'source', of) }),
    ...momentOf(server),
    ...instanceOf(server),
    name: nameFor(server, of),
    hostId: await findId(server, 'host', input.text('to') ?? hostname()),
    ...(every !== undefined && { autoRefresh: { every } }),
    ...(input.has('live') && { liveSync: true }),
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

type RewindVerb = 'refreshVirtualDatabase' | 'resetVirtualDatabase'

/** A verb that ends with a database that is ready, and whose own writes since are gone. */
function rewind(
  route: RewindVerb,
  bodyOf: (server: Server, id: string) => Promise<Row> | Row,
): ServerRun {
  return async (server, input, site) => {
    const virtualDatabaseId = await find(server)
    const body = await bodyOf(server, virtualDatabaseId)
    const params = { virtualDatabaseId }
    const { body: plan } = await server.request(route, { params, body, dryRun: true })
    if (input.has('dry-run') && formatOf(input, site) !== 'table') {
      showRow(plan, { site, input })
      return 0
    }
    const question = await tellLoss(server, virtualDatabaseId)
    if (input.has('dry-run')) return 0
    if (question !== undefined && !input.has('yes')) await confirm(site, question)
    const { body: started } = await server.request(route, { params, body })
    return followJob(server, started, () => showReady(server, virtualDatabaseId))
  }
}

/** @returns what to ask; undefined for one that follows production: it has nothing of its own */
async function tellLoss(server: Server, virtualDatabaseId: string): Promise<string | undefined> {
  const { out, text } = server.site
  const { body } = await server.request('getVirtualDatabase', { params: { virtualDatabaseId } })
  const name = printable(textOf(body['name']))
  if (body['liveSync'] === true) {
    if (server.input.has('dry-run')) out.note(text('vdb.losesNothing', { name }))
    return undefined
  }
  const at = textOf(body['lastRefreshAt'] ?? body['readyAt'] ?? body['createdAt'])
  const since = formatLocal(new Date(at))
  const written = body['writtenBytes']
  if (!out.json) {
    if (typeof written !== 'number') out.note(text('vdb.losesUnknown', { name, since }))
    else out.note(text('vdb.loses', { name, since, size: formatBytes(written) }))
  }
  return text('vdb.loseAsk', { name })
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

export const refresh = onServer(rewind('refreshVirtualDatabase', momentOf))
export const reset = onServer(
  rewind('resetVirtualDatabase', async (server, id) => ({
    bookmarkId: await bookmarkOf(server, id),
  })),
)

export const start = onServer(async (server) => {
  const virtualDatabaseId = await find(server)
  const params = { virtualDatabaseId }
  const { body: started } = await server.request('startVirtualDatabase', { params, body: {} })
  return followJob(server, started, () => showReady(server, virtualDatabaseId))
})

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
  const quotaBytes = input.size('quota')
  if (!('lifetimeSeconds' in lifetime) && quotaBytes === undefined) {
    throw new MaasError('USAGE', site.text('usage.extend'), { option: 'ttl' })
  }
  const virtualDatabaseId = await find(server)
  const params = { virtualDatabaseId }
  const wanted = { ...lifetime, ...(quotaBytes !== undefined && { quotaBytes }) }
  const { body } = await server.request('extendVirtualDatabase', { params, body: wanted })
  const jobId = quotaBytes === undefined ? undefined : await wideningOf(server, virtualDatabaseId)
  if (jobId === undefined) return showRow(body, { site, input })
  return followJob(server, { jobId }, async () => {
    const { body: widened } = await server.request('getVirtualDatabase', { params })
    showRow(widened, { site, input })
  })
})

/** The job that gives it room; undefined where it has that quota already. */
async function wideningOf(server: Server, id: string): Promise<string | undefined> {
  const query = { 'filter[kind]': 'widen-virtual-database', 'filter[virtualDatabaseId]': id }
  const { rows } = await server.list('listJobs', query, { limit: 1 })
  const [newest] = rows
  return newest === undefined ? undefined : textOf(newest['id'])
}

export const drop = onServer(async (server, input, site) => {
  const virtualDatabaseId = await find(server)
  const params = { virtualDatabaseId }
  const wish = { force: input.has('force'), keepData: input.has('keep-data') }
  const planned = await server.request('dropVirtualDatabase', { params, body: wish, dryRun: true })
  if (input.has('dry-run')) {
    showRow(planned.body, { site, input })
    return 0
  }
  const body = { ...wish, ...(await consentToDrop(server, virtualDatabaseId, planned.body)) }
  const { body: started } = await server.request('dropVirtualDatabase', { params, body })
  return followJob(server, started, () => {
    site.out.note(site.text('vdb.dropped', { id: virtualDatabaseId }))
  })
})

/**
 * Somebody at a terminal types its name; a script that names it has said what it wants. One whose
 * directory goes, or that stands for production, needs a yes and a reason in any case.
 */
async function consentToDrop(server: Server, id: string, plan: Row): Promise<Row> {
  const { input, site } = server
  const params = { virtualDatabaseId: id }
  const { body } = await server.request('getVirtualDatabase', { params })
  const name = textOf(body['name'])
  const isLocal = body['directory'] !== null && !input.has('keep-data')
  const isGrave = isLocal || body['mode'] === 'production'
  if (isGrave || (canAsk() && !input.has('yes') && !site.out.json)) {
    if (!site.out.json) showPlan(server, plan)
    await confirmName(server, name)
  }
  const approvalId = input.text('approval')
  const reason = isGrave ? await reasonOf(server) : input.text('reason')
  return {
    ...(isGrave && { confirm: name }),
    ...(reason !== undefined && { reason }),
    ...(approvalId !== undefined && { approvalId }),
  }
}

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
