/** Verbs of recovery points. */
import { createWriteStream } from 'node:fs'
import path from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { MaasError } from '@openmaas/kernel/errors'
import { formatBytes } from '@openmaas/kernel/units'
import { formatLocal } from '../../format/time.ts'
import { printable } from '../../format/width.ts'
import { doDangerous } from '../danger.ts'
import { followJob } from '../job-watch.ts'
import { listOf, showOf } from '../lists.ts'
import { findId, findPointId, timeOf } from '../names.ts'
import { ProblemError } from '../problem-error.ts'
import { onServer, textOf } from '../server.ts'
import type { Row, Server } from '../server.ts'
import { formatOf, showRow } from '../show.ts'

export const list = onServer(listOf('point'))
export const show = onServer(showOf('point'))

/** Entries of one request. */
const PAGE_LIMIT = 1000
const MODE_DIGITS = 4
/** Without the bits that say what kind of file it is. */
const PERMISSIONS = 0o7777

function pointOf(server: Server): Promise<string> {
  return findPointId(server, server.input.positionals[0]!, server.input.text('at'))
}

function showEntry(entry: Row, name: string, server: Server): void {
  const { out } = server.site
  const slash = entry['kind'] === 'directory' ? '/' : ''
  const link = entry['target'] === undefined ? '' : ` -> ${textOf(entry['target'])}`
  if (!server.input.has('long')) {
    out.line(printable(`${name}${slash}`))
    return
  }
  const mode = (Number(entry['mode']) & PERMISSIONS).toString(8).padStart(MODE_DIGITS, '0')
  const size = Number(entry['sizeBytes'])
  const at = textOf(entry['modifiedAt'])
  const parts = out.isTerminal
    ? [mode, textOf(entry['owner']), formatBytes(size), formatLocal(new Date(at))]
    : [mode, textOf(entry['owner']), String(size), at]
  const cells = [...parts, `${name}${slash}${link}`].map((cell) => printable(cell))
  out.line(cells.join(out.isTerminal ? '  ' : '\t'))
}

export const ls = onServer(async (server, input, site) => {
  const pointId = await pointOf(server)
  const directory = input.positionals[1] ?? '/'
  const entries: Row[] = []
  let after: string | undefined
  for (;;) {
    const query = { path: directory, limit: PAGE_LIMIT, ...(after !== undefined && { after }) }
    const { body } = await server.request('listEntries', { params: { pointId }, query })
    const items = body['items'] as Row[]
    entries.push(...items)
    after = items.at(-1)?.['name'] as string | undefined
    if (body['more'] !== true || after === undefined) break
  }
  if (formatOf(input, site) !== 'table') showRow({ items: entries }, { site, input })
  else for (const entry of entries) showEntry(entry, textOf(entry['name']), server)
})

export const find = onServer(async (server, input, site) => {
  const point = input.text('point')
  const source = input.text('source')
  if ((point === undefined) === (source === undefined)) {
    throw new MaasError('USAGE', 'either --source or --point says where to look', {
      option: 'source',
    })
  }
  const query = {
    pattern: input.positionals[0],
    limit: input.integer('limit', { min: 1, max: PAGE_LIMIT }) ?? PAGE_LIMIT,
    ...(point !== undefined && { pointId: await findPointId(server, point) }),
    ...(source !== undefined && { sourceId: await findId(server, 'source', source) }),
  }
  const { body } = await server.request('findInPoints', { query })
  if (formatOf(input, site) !== 'table') {
    showRow(body, { site, input })
    return
  }
  const items = body['items'] as Row[]
  for (const item of items) {
    const taken = textOf(item['takenAt'])
    const when = site.out.isTerminal ? formatLocal(new Date(taken)) : taken
    const cells = [textOf(item['pointId']), when, printable(textOf(item['path']))]
    site.out.line(cells.join(site.out.isTerminal ? '  ' : '\t'))
  }
  if (items.length === 0) site.out.note(site.text('list.none'))
  if (body['more'] === true) site.out.note(site.text('list.more', { limit: items.length }))
})

/** The bytes of one file, to stdout or into a new file. */
export const cat = onServer(async (server, input, site) => {
  const pointId = await pointOf(server)
  const query = { path: input.positionals[1]! }
  const { signal } = site
  const response = await server.client.open('getContent', { params: { pointId }, query, signal })
  if (response.body === null) return
  const to = input.text('to')
  if (to === undefined) {
    site.out.flush()
    for await (const chunk of response.body) site.out.options.write(chunk)
    return
  }
  const file = createWriteStream(path.resolve(site.directory, to), { flags: 'wx' })
  await pipeline(Readable.fromWeb(response.body as never), file)
})

/** The host that the source is on now; where it was when the source has gone. */
async function hostOfSource(server: Server, pointId: string): Promise<string> {
  const { body: point } = await server.request('getPoint', { params: { pointId } })
  try {
    const params = { sourceId: textOf(point['sourceId']) }
    const { body: source } = await server.request('getSource', { params })
    return textOf(source['hostId'])
  } catch (error) {
    if (!(error instanceof ProblemError) || error.category !== 'not_found') throw error
    return textOf(point['hostId'])
  }
}

export const restore = onServer(async (server, input, site) => {
  const pointId = await pointOf(server)
  const to = input.text('to')
  if (to === undefined) {
    throw new MaasError('USAGE', 'a restore wants --to: the directory', { option: 'to' })
  }
  const host = input.text('host') ?? (await hostOfSource(server, pointId))
  const bytesPerSecond = input.size('rate')
  const body = {
    hostId: await findId(server, 'host', host),
    to,
    paths: input.positionals.slice(1),
    conflict: input.text('conflict') ?? 'fail',
    ...(bytesPerSecond !== undefined && { bytesPerSecond }),
  }
  const dryRun = input.has('dry-run')
  const answer = await server.request('restorePoint', { params: { pointId }, body, dryRun })
  if (dryRun) {
    showRow(answer.body, { site, input })
    return 0
  }
  return followJob(server, answer.body, () =>
    site.out.note(site.text('point.restored', { host, to })),
  )
})

export const lock = onServer(async (server, input, site) => {
  const pointId = await pointOf(server)
  const until = timeOf(input.text('until') ?? '', server, 'until')
  const reason = input.text('reason')
  const body = { until, ...(reason !== undefined && { reason }) }
  const { body: point } = await server.request('lockPoint', { params: { pointId }, body })
  showRow(point, { site, input })
})

export const verify = onServer(async (server, input, site) => {
  const pointId = await pointOf(server)
  const body = { data: !input.has('structure') }
  const { body: started } = await server.request('verifyPoint', { params: { pointId }, body })
  return followJob(server, started, () => site.out.note(site.text('point.verified')))
})

/** What has to be typed again is the id: a point has no name. */
export const remove = onServer(async (server) => {
  const pointId = await pointOf(server)
  const answer = await doDangerous(server, {
    route: 'deletePoint',
    params: { pointId },
    name: pointId,
  })
  return answer === undefined ? 0 : followJob(server, answer)
})
