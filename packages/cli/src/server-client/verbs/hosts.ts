/** Verbs of hosts and of the tokens by which they join. */
import { formatBytes } from '@openmaas/kernel/units'
import { MaasError } from '@openmaas/kernel/errors'
import { parseDuration } from '../../format/time.ts'
import { printable } from '../../format/width.ts'
import { doDangerous } from '../danger.ts'
import { listOf, loadObject, showOf } from '../lists.ts'
import { findId } from '../names.ts'
import { onServer, textOf } from '../server.ts'
import type { Row, ServerRun } from '../server.ts'
import { formatOf, labelsOf, showRow } from '../show.ts'
import { changedLabels } from './sources.ts'

export const list = onServer(listOf('host'))
export const show = onServer(showOf('host'))

export const change = onServer(async (server, input, site) => {
  const { body: before, etag, id } = await loadObject(server, 'host', input.positionals[0]!)
  const name = input.text('name')
  const body = {
    ...(name !== undefined && { name }),
    ...(input.has('label') && { labels: changedLabels(server, before['labels'] as Row) }),
  }
  const params = { hostId: id }
  const { body: host } = await server.request('changeHost', { params, body, ifMatch: etag })
  showRow(host, { site, input })
})

const turn =
  (route: 'drainHost' | 'resumeHost'): ServerRun =>
  async (server, input, site) => {
    const hostId = await findId(server, 'host', input.positionals[0]!)
    const reason = route === 'drainHost' ? input.text('reason') : undefined
    const body = route === 'drainHost' ? { ...(reason !== undefined && { reason }) } : undefined
    const { body: host } = await server.request(route, { params: { hostId }, body })
    showRow(host, { site, input })
  }
export const drain = onServer(turn('drainHost'))
export const resume = onServer(turn('resumeHost'))

export const remove = onServer(async (server, input) => {
  const { body, id } = await loadObject(server, 'host', input.positionals[0]!)
  const name = textOf(body['name'])
  await doDangerous(server, { route: 'removeHost', params: { hostId: id }, name })
})

export const discover = onServer(async (server, input, site) => {
  const hostId = await findId(server, 'host', input.positionals[0]!)
  const { body } = await server.request('discoverHost', { params: { hostId } })
  if (formatOf(input, site) !== 'table') {
    showRow(body, { site, input })
    return
  }
  const { out } = site
  for (const item of body['items'] as Row[]) {
    const size = Number(item['sizeBytes'])
    const cells = [item['kind'], item['path'], out.isTerminal ? formatBytes(size) : size]
    const protectedBy = item['sourceId'] ?? ''
    const line = [...cells, item['detail'], protectedBy].map((cell) => printable(String(cell)))
    out.line(line.join(out.isTerminal ? '  ' : '\t'))
  }
})

export const ls = onServer(async (server, input, site) => {
  const hostId = await findId(server, 'host', input.positionals[0]!)
  const query = { path: input.positionals[1] ?? '/', limit: 1000 }
  const { body } = await server.request('listHostFiles', { params: { hostId }, query })
  if (formatOf(input, site) !== 'table') {
    showRow(body, { site, input })
    return
  }
  for (const item of body['items'] as Row[]) {
    site.out.line(printable(`${textOf(item['name'])}${item['kind'] === 'directory' ? '/' : ''}`))
  }
})

export const invite = onServer(async (server, input, site) => {
  const ttl = input.text('ttl')
  const lifetimeMs = ttl === undefined ? undefined : parseDuration(ttl)
  if (ttl !== undefined && lifetimeMs === undefined) {
    throw new MaasError('USAGE', `--ttl wants a time such as 1h, not "${ttl}"`, { option: 'ttl' })
  }
  const body = {
    kind: input.has('node') ? 'node' : 'agent',
    labels: labelsOf(input, 'label'),
    ...(lifetimeMs !== undefined && { lifetimeSeconds: Math.round(lifetimeMs / 1000) }),
  }
  const { body: created } = await server.request('createJoinToken', { body })
  if (formatOf(input, site) !== 'table') {
    showRow(created, { site, input })
    return
  }
  site.out.line(textOf(created['command']))
  site.out.note(site.text('host.invited'))
  const address = textOf(created['server'])
  if (isLoopback(address)) site.out.note(site.text('host.loopback', { server: address }))
})

/** A server that was not told by which name others reach it. */
function isLoopback(server: string): boolean {
  const name = URL.parse(server)?.hostname ?? server
  return name === 'localhost' || name === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(name)
}

export const invitations = onServer(listOf('joinToken'))

export const revokeInvitation = onServer(async (server, input) => {
  await server.request('revokeJoinToken', { params: { joinTokenId: input.positionals[0] } })
})
