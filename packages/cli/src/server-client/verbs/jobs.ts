/** Verbs of jobs. */
import { MaasError } from '@openmaas/kernel/errors'
import { formatLocal } from '../../format/time.ts'
import { printable } from '../../format/width.ts'
import { followJob } from '../job-watch.ts'
import { listOf, showOf } from '../lists.ts'
import { onServer, textOf } from '../server.ts'
import type { Row, Server } from '../server.ts'
import { formatOf, showRow } from '../show.ts'

export const list = onServer(listOf('job'))
export const show = onServer(showOf('job'))

/** Lines of one answer. */
const PAGE_LIMIT = 1000

async function jobOf(server: Server): Promise<string> {
  const [text] = server.input.positionals
  if (text !== 'latest' && text !== undefined) return text
  const { rows } = await server.list('listJobs', { sort: '-queuedAt' }, { limit: 1 })
  const id = rows[0]?.['id']
  if (id === undefined) throw new MaasError('OBJECT_NOT_FOUND', 'there is no job yet')
  return textOf(id)
}

export const watch = onServer(async (server) => {
  const jobId = await jobOf(server)
  return followJob(server, { jobId }, (job) => {
    server.site.out.note(server.site.text('job.ended', { id: job.id, kind: job.kind }))
  })
})

export const log = onServer(async (server, input, site) => {
  const jobId = await jobOf(server)
  const limit = input.integer('limit', { min: 1, max: 1_000_000 }) ?? PAGE_LIMIT
  const { rows } = await server.list('getJobLog', {}, { params: { jobId }, limit })
  if (formatOf(input, site) !== 'table') {
    showRow({ items: rows }, { site, input })
    return
  }
  for (const row of rows) site.out.line(logLine(row, server))
})

function logLine(row: Row, { site }: Server): string {
  const at = textOf(row['at'])
  const when = site.out.isTerminal ? formatLocal(new Date(at)) : at
  const cells = [when, textOf(row['level']), textOf(row['code']), printable(textOf(row['text']))]
  return cells.join(site.out.isTerminal ? '  ' : '\t')
}

export const cancel = onServer(async (server) => {
  const jobId = await jobOf(server)
  const { body: started } = await server.request('cancelJob', { params: { jobId } })
  const code = await followJob(server, started)
  // That it was cancelled is what was asked for.
  const { body: job } = await server.request('getJob', { params: { jobId } })
  return job['state'] === 'cancelled' ? 0 : code
})

export const retry = onServer(async (server) => {
  const jobId = await jobOf(server)
  const { body: started } = await server.request('retryJob', { params: { jobId } })
  return followJob(server, started)
})
