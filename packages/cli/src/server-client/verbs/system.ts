/** The installation as a whole: status, any route by its name, the support bundle. */
import { createWriteStream, readFileSync } from 'node:fs'
import path from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Status } from '@openmaas/api/resources/status'
import { ROUTES, routeNames } from '@openmaas/api/routes/routes'
import type { RouteName } from '@openmaas/api/routes/routes'
import { toMaasError } from '@openmaas/kernel/error-message'
import { MaasError } from '@openmaas/kernel/errors'
import { formatBytes } from '@openmaas/kernel/units'
import { formatAge } from '../../format/time.ts'
import { printable } from '../../format/width.ts'
import { nearest } from '../../program/input.ts'
import type { Color } from '../../program/output.ts'
import type { Site } from '../../program/site.ts'
import { apply, exportAll } from '../documents.ts'
import { onServer } from '../server.ts'
import type { Row } from '../server.ts'
import { formatOf, labelsOf, showRow } from '../show.ts'

export const applyDocuments = onServer(apply)
export const exportDocuments = onServer(exportAll)

export const status = onServer(async (server, input, site) => {
  const { body } = await server.request('getStatus')
  if (formatOf(input, site) === 'table') showStatus(body as unknown as Status, site)
  else showRow(body, { site, input })
})

function showStatus(status: Status, site: Site): void {
  const { out, text, clock } = site
  const { sources, points, jobs, media, hosts, pools, alerts } = status
  const newest =
    points.newestAt === null
      ? text('server.never')
      : formatAge(clock.wallMs() - Date.parse(points.newestAt), text)
  const rows: [string, string][] = [
    [text('overview.sources'), text('overview.sourcesText', sources)],
    [text('overview.points'), text('overview.pointsText', { total: points.total, newest })],
    [text('overview.jobs'), text('overview.jobsText', jobs)],
    [text('overview.media'), text('overview.mediaText', media)],
    [text('overview.hosts'), text('overview.hostsText', hosts)],
    [
      text('overview.pools'),
      text('overview.poolsText', {
        total: pools.total,
        stored: formatBytes(pools.physicalBytes),
        free: formatBytes(pools.freeBytes),
      }),
    ],
    [text('overview.alerts'), text('overview.alertsText', alerts)],
  ]
  out.table([{ title: text('col.what') }, { title: text('col.state') }], rows, { heading: false })
  for (const { name, state, reasons } of status.attention) {
    const color: Color = state === 'violated' ? 'red' : 'yellow'
    const why = reasons.map((reason) => reason.text).join('; ')
    out.line(`${out.paint(color, state)}  ${printable(name)}  ${printable(why)}`)
  }
}

function routeOfName(name: string): RouteName {
  if (Object.hasOwn(ROUTES, name)) return name as RouteName
  const near = nearest(name, routeNames)
  const suggestion = near === undefined ? '' : `; did you mean ${near}?`
  const message = `there is no operation "${name}"${suggestion}`
  throw new MaasError('USAGE', message, { operation: name, operations: routeNames })
}

function readBody(file: string, site: Site): unknown {
  try {
    return JSON.parse(readFileSync(file === '-' ? 0 : path.resolve(site.directory, file), 'utf8'))
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw toMaasError(error)
    throw new MaasError('CONFIG_INVALID', `${file} is not JSON: ${error.message}`, { path: file })
  }
}

/** Any operation of the OpenAPI document: `openmaas api listSources query.limit=5`. */
export const api = onServer(async (server, input, site) => {
  const [operation, ...words] = input.positionals as [string, ...string[]]
  const name = routeOfName(operation)
  const pattern = ROUTES[name].path
  const params: Record<string, string> = {}
  const query: Record<string, string> = {}
  for (const word of words) {
    const equals = word.indexOf('=')
    if (equals < 1) throw new MaasError('USAGE', `"${word}" is not of the form name=value`)
    const [key, value] = [word.slice(0, equals), word.slice(equals + 1)]
    if (pattern.includes(`{${key}}`)) params[key] = value
    else query[key] = value
  }
  const file = input.text('body')
  const fields = labelsOf(input, 'field')
  const fromFields = Object.keys(fields).length > 0 ? fields : undefined
  const body = file === undefined ? fromFields : readBody(file, site)
  const ifMatch = input.text('if-match')
  const response = await server.client.openWith(
    name,
    { params, query, body, signal: site.signal, ...(ifMatch !== undefined && { ifMatch }) },
    {},
  )
  if (!(response.headers.get('content-type') ?? '').startsWith('application/json')) {
    site.out.flush()
    for await (const chunk of response.body ?? []) site.out.options.write(chunk)
    return
  }
  const answer = (await response.json()) as Row
  if (formatOf(input, site) === 'yaml') showRow(answer, { site, input })
  else site.out.value(answer)
})

export const supportBundle = onServer(async (server, input, site) => {
  const day = new Date(site.clock.wallMs()).toISOString().slice(0, 10)
  const name = `openmaas-support-${day}.json.gz`
  const file = path.resolve(site.directory, input.text('to') ?? name)
  const { signal } = site
  const response = await server.client.open('getSupportBundle', { signal })
  if (response.body === null) return
  const target = createWriteStream(file, { flags: 'wx', mode: 0o600 })
  await pipeline(Readable.fromWeb(response.body as never), target)
  site.out.line(file)
})
