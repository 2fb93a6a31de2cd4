/** Verbs of sources. */
import { hostname } from 'node:os'
import { objectNameFrom } from '@openmaas/api/object-name'
import { doDangerous } from '../danger.ts'
import { followJob } from '../job-watch.ts'
import { loadObject, listOf, showOf } from '../lists.ts'
import { findId, timeOf } from '../names.ts'
import { ProblemError, translated } from '../problem-error.ts'
import { onServer, textOf } from '../server.ts'
import type { Row, Server, ServerRun } from '../server.ts'
import { formatOf, labelsOf, showRow } from '../show.ts'

export const list = onServer(listOf('source'))
export const show = onServer(showOf('source'))

/** What options say about how a source is captured, over what holds already. */
function optionsOf(server: Server, before: Row = {}): Row {
  const { input } = server
  const rate = input.size('rate')
  return {
    ...before,
    ...(input.has('include') && { include: input.list('include') }),
    ...(input.has('exclude') && { exclude: input.list('exclude') }),
    ...(input.has('one-file-system') && { oneFileSystem: true }),
    ...(rate !== undefined && { bytesPerSecond: rate }),
  }
}

async function placeOf(server: Server): Promise<Row> {
  const { input } = server
  const policy = input.text('policy')
  const pool = input.text('pool-name')
  return {
    ...(policy !== undefined && {
      policyId: policy === 'none' ? null : await findId(server, 'policy', policy),
    }),
    ...(pool !== undefined && { poolId: await findId(server, 'pool', pool) }),
  }
}

export const add = onServer(async (server, input, site) => {
  // Without a host: this machine, when it is one that the server knows.
  const path = input.positionals.at(-1)!
  const host = input.positionals.length === 1 ? hostname() : input.positionals[0]!
  const last = path.split('/').findLast((part) => part !== '') ?? ''
  const name = input.text('name') ?? (objectNameFrom(last) || 'root')
  const body = {
    name,
    hostId: await findId(server, 'host', host),
    path,
    kind: input.has('disk') ? 'disk' : 'files',
    options: optionsOf(server),
    labels: labelsOf(input, 'label'),
    ...(await placeOf(server)),
  }
  const { body: source } = await server.request('createSource', { body })
  if (formatOf(input, site) !== 'table') {
    showRow(source, { site, input })
    return
  }
  const { out, text } = site
  const id = textOf(source['id'])
  if (out.isTerminal) out.say(text('source.added', { id, name, path, host }))
  else out.line(id)
  if (await isMissing(server, textOf(source['hostId']), path)) {
    out.note(text('source.missing', { path, host }))
  }
  // Under none, it is captured only when somebody says so.
  if (source['effectivePolicyId'] === null) out.note(text('source.noPolicy', { name }))
})

/** As its host sees it; one that is away, or that lists no devices, is believed. */
async function isMissing(server: Server, hostId: string, path: string): Promise<boolean> {
  try {
    await translated(() =>
      server.request('listHostFiles', { params: { hostId }, query: { path, limit: 1 } }),
    )
    return false
  } catch (error) {
    return error instanceof ProblemError && error.code === 'FS_NOT_FOUND'
  }
}

export const change = onServer(async (server, input, site) => {
  const { body: before, etag, id } = await loadObject(server, 'source', input.positionals[0]!)
  const name = input.text('name')
  const path = input.text('path')
  const options = optionsOf(server)
  const body = {
    ...(name !== undefined && { name }),
    ...(path !== undefined && { path }),
    ...(Object.keys(options).length > 0 && {
      options: { ...(before['options'] as Row), ...options },
    }),
    ...(input.has('label') && { labels: changedLabels(server, before['labels'] as Row) }),
    ...(await placeOf(server)),
  }
  const params = { sourceId: id }
  const { body: source } = await server.request('changeSource', { params, body, ifMatch: etag })
  showRow(source, { site, input })
})

/** `key=value` sets a label, `key=` takes it away. */
export function changedLabels(server: Server, before: Row): Row {
  const changes = labelsOf(server.input, 'label')
  const merged = { ...before, ...changes }
  return Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== ''))
}

export const remove = onServer(async (server, input, site) => {
  const { body, id } = await loadObject(server, 'source', input.positionals[0]!)
  const name = textOf(body['name'])
  const wish = input.has('force') ? { force: true } : {}
  await doDangerous(server, { route: 'deleteSource', params: { sourceId: id }, name, wish })
  if (input.has('dry-run') || (body['database'] ?? null) === null) return
  // Its standby and what production keeps for it go by a job, which may have to wait.
  const query = { 'filter[kind]': 'unprotect-database', 'filter[sourceId]': id }
  const [job] = (await server.list('listJobs', query, { limit: 1 })).rows
  if (job !== undefined) site.out.note(site.text('source.ending', { id: textOf(job['id']) }))
})

async function protectOne(server: Server, name: string): Promise<number> {
  const { input, site } = server
  const sourceId = await findId(server, 'source', name)
  const lock = input.text('lock-until')
  const body = {
    labels: labelsOf(input, 'label'),
    ...(lock !== undefined && { lockUntil: timeOf(lock, server, 'lock-until') }),
  }
  const { body: started } = await server.request('protectSource', { params: { sourceId }, body })
  return followJob(server, started, (job) => {
    const { out, text } = site
    if (out.isTerminal) out.say(text('protect.done', { id: job.pointId ?? '', name }))
    else out.line(job.pointId ?? job.id)
  })
}

/** The worst of several ends is the exit code. */
export const protect = onServer(async (server, input) => {
  let worst = 0
  for (const name of input.positionals) worst = Math.max(worst, await protectOne(server, name))
  return worst
})

const turn =
  (route: 'pauseSource' | 'resumeSource'): ServerRun =>
  async (server, input, site) => {
    const sourceId = await findId(server, 'source', input.positionals[0]!)
    const { body } = await server.request(route, { params: { sourceId } })
    showRow(body, { site, input })
  }
export const pause = onServer(turn('pauseSource'))
export const resume = onServer(turn('resumeSource'))

export const compliance = onServer(async (server, input, site) => {
  const sourceId = await findId(server, 'source', input.positionals[0]!)
  const { body } = await server.request('getSourceCompliance', { params: { sourceId } })
  showRow(body, { site, input, idField: 'sourceId' })
})
