/** Following production, moving to a local directory, standing in production's place. */
import { hostname } from 'node:os'
import { idPattern } from '@openmaas/api/ids'
import { MaasError } from '@openmaas/kernel/errors'
import { formatBytes, formatDuration } from '@openmaas/kernel/units'
import { confirmName, reasonOf, showPlan } from '../danger.ts'
import { followJob } from '../job-watch.ts'
import { findId } from '../names.ts'
import { onServer, textOf } from '../server.ts'
import type { Row, Server, ServerRun } from '../server.ts'
import { formatOf, labelsOf, showRow } from '../show.ts'
import { find, momentOf, showReady } from './vdb-common.ts'

type SyncVerb = 'pauseVirtualDatabase' | 'resumeVirtualDatabase' | 'openVirtualDatabase'

function sync(route: SyncVerb): ServerRun {
  return async (server) => {
    const virtualDatabaseId = await find(server)
    const params = { virtualDatabaseId }
    const { body: started } = await server.request(route, { params, body: {} })
    return followJob(server, started, () => showReady(server, virtualDatabaseId))
  }
}

export const pause = onServer(sync('pauseVirtualDatabase'))
export const resume = onServer(sync('resumeVirtualDatabase'))
export const open = onServer(sync('openVirtualDatabase'))

export const promote = onServer(async (server, input, site) => {
  const directory = input.text('directory')
  if (directory === undefined) {
    throw new MaasError('USAGE', site.text('usage.directory'), { option: 'directory' })
  }
  const virtualDatabaseId = await find(server)
  const params = { virtualDatabaseId }
  const bytesPerSecond = input.size('rate')
  const body = { directory, ...(bytesPerSecond !== undefined && { bytesPerSecond }) }
  if (input.has('dry-run')) {
    const planned = await server.request('promoteVirtualDatabase', { params, body, dryRun: true })
    showRow(planned.body, { site, input })
    return 0
  }
  const { body: started } = await server.request('promoteVirtualDatabase', { params, body })
  return followJob(server, started, ({ result }) => {
    const { pauseMs, sizeBytes } = (result ?? {}) as { pauseMs?: number; sizeBytes?: number }
    const size = formatBytes(sizeBytes ?? 0)
    if (!site.out.isTerminal) {
      site.out.line(`${virtualDatabaseId}\t${directory}`)
      return
    }
    if (typeof pauseMs !== 'number') {
      site.out.say(site.text('vdb.promotedStopped', { directory, size }))
      return
    }
    const pause = pauseMs < 1000 ? `${pauseMs} ms` : formatDuration(pauseMs)
    site.out.say(site.text('vdb.promoted', { directory, size, pause }))
  })
})

/** Of `vdb create --as-production`: the plan, the source's name typed again, a reason, the deed. */
export async function recoverProduction(server: Server, name: string): Promise<number> {
  const { input, site } = server
  const of = input.positionals[0]!
  const port = input.integer('port', { min: 1, max: 65_535 })
  if (port === undefined) {
    throw new MaasError('USAGE', site.text('usage.productionPort'), { option: 'port' })
  }
  const approvalId = input.text('approval')
  const source = await sourceOf(server, of)
  const wish = {
    ...source.of,
    ...momentOf(server),
    name,
    port,
    hostId: await findId(server, 'host', input.text('to') ?? hostname()),
    ...(input.has('listen') && { listen: input.list('listen') }),
    ...(input.has('for') && { purpose: input.text('for') }),
    settings: labelsOf(input, 'set'),
    labels: labelsOf(input, 'label'),
  }
  const preview = { ...wish, confirm: source.name, reason: input.text('reason') ?? 'preview' }
  const planned = await server.request('recoverProduction', { body: preview, dryRun: true })
  if (input.has('dry-run') && formatOf(input, site) !== 'table') {
    showRow(planned.body, { site, input })
    return 0
  }
  if (!site.out.json) showPlan(server, planned.body)
  if (input.has('dry-run')) return 0
  await confirmName(server, source.name)
  const reason = await reasonOf(server)
  const more = approvalId === undefined ? {} : { approvalId }
  const body = { ...wish, confirm: source.name, reason, ...more }
  const { body: started } = await server.request('recoverProduction', { body })
  const id = textOf(started['virtualDatabaseId'])
  return followJob(server, started, () => showReady(server, id))
}

async function sourceOf(server: Server, of: string): Promise<{ of: Row; name: string }> {
  if (!idPattern('point').test(of)) {
    const sourceId = await findId(server, 'source', of)
    const { body } = await server.request('getSource', { params: { sourceId } })
    return { of: { sourceId }, name: textOf(body['name']) }
  }
  const { body: point } = await server.request('getPoint', { params: { pointId: of } })
  const params = { sourceId: textOf(point['sourceId']) }
  const { body } = await server.request('getSource', { params })
  return { of: { pointId: of }, name: textOf(body['name']) }
}
