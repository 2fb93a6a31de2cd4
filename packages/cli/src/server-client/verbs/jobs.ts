/** Verbs of jobs. */
import { MaasError } from '@openmaas/kernel/errors'
import { formatLocal } from '../../format/time.ts'
import { printable } from '../../format/width.ts'
import { followJob } from '../job-watch.ts'
import { listOf, showOf } from '../lists.ts'
import { timeOf } from '../names.ts'
import { onServer, textOf } from '../server.ts'
import type { Row, Server } from '../server.ts'
import { formatOf, showRow, showRows } from '../show.ts'
import type { ColumnSpec } from '../show.ts'

export const list = onServer(listOf('job'))
export const show = onServer(showOf('job'))

const DAY_MS = 86_400_000

/** A day that begins now, unless it is told otherwise. */
export const calendar = onServer(async (server, input, site) => {
  const now = site.clock.wallMs()
  const begin = input.has('from') ? Date.parse(timeOf(input.text('from')!, server, 'from')) : now
  const end = input.has('until')
    ? timeOf(input.text('until')!, server, 'until')
    : new Date(begin + DAY_MS).toISOString()
  const query = { from: new Date(begin).toISOString(), until: end }
  const { body } = await server.request('getJobCalendar', { query })
  const hosts = body['hosts'] as readonly CalendarHost[]
  if (formatOf(input, site) !== 'table') {
    showRow(body, { site, input, idField: 'from' })
    return
  }
  const rows = hosts.map((host) => ({ ...host, ...sumsOf(host, begin) }))
  showRows(CALENDAR_COLUMNS, rows, { site, input, idField: 'hostId' })
})

interface CalendarHost {
  readonly hostName: string
  readonly ran: readonly number[]
  readonly failed: readonly number[]
  readonly planned: readonly number[]
}

const CALENDAR_COLUMNS: readonly ColumnSpec[] = [
  { title: 'col.host', field: 'hostName' },
  { title: 'col.ran', field: 'ran', kind: 'count' },
  { title: 'col.failed', field: 'failed', kind: 'count' },
  { title: 'col.planned', field: 'planned', kind: 'count' },
  { title: 'col.busiest', field: 'busiest', kind: 'time' },
]
const HOUR_MS = 3_600_000

/** Of a day, and when most is at work at once. */
function sumsOf({ ran, failed, planned }: CalendarHost, begin: number): Row {
  const sumOf = (counts: readonly number[]): number => counts.reduce((sum, one) => sum + one, 0)
  const load = ran.map((count, hour) => count + planned[hour]!)
  const busiest = new Date(begin + load.indexOf(Math.max(...load)) * HOUR_MS).toISOString()
  return { ran: sumOf(ran), failed: sumOf(failed), planned: sumOf(planned), busiest }
}

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

export const watch = onServer(async (server, input, site) => {
  const jobId = await jobOf(server)
  const told = (job: Row): void => {
    site.out.note(site.text('job.ended', { id: textOf(job['id']), kind: textOf(job['kind']) }))
  }
  return followJob(server, { jobId }, told, { isKnown: input.positionals[0] === jobId })
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
