/** `vdb show`: all of it, and in words what one that follows production follows, and how far. */
import { isMaasError } from '@openmaas/kernel/errors'
import { formatBytes, formatDuration } from '@openmaas/kernel/units'
import { formatAge, formatLocal } from '../../format/time.ts'
import { printable } from '../../format/width.ts'
import { loadObject } from '../lists.ts'
import { ProblemError, translated } from '../problem-error.ts'
import { onServer, textOf } from '../server.ts'
import type { Row, Server } from '../server.ts'
import { fieldOf, formatOf, showRow } from '../show.ts'

export const show = onServer(async (server, input, site) => {
  const { body } = await loadObject(server, 'vdb', input.positionals[0]!)
  // As comments, so that what is shown stays YAML.
  if (body['liveSync'] === true && formatOf(input, site) === 'table') {
    for (const line of await followingLines(server, body)) site.out.line(`# ${printable(line)}`)
  }
  showRow(body, { site, input })
})

/** Name and place of what is followed; whoever may not see the source sees its id. */
async function productionOf(server: Server, sourceId: string): Promise<string> {
  try {
    const params = { sourceId }
    const { body } = await translated(() => server.request('getSource', { params }))
    const place = fieldOf(body, 'database.connection') === null ? '' : textOf(body['path'])
    return place === '' ? textOf(body['name']) : `${textOf(body['name'])} (${place})`
  } catch (error) {
    const isHidden = error instanceof ProblemError && error.category === 'denied'
    if (!isHidden && !isMaasError(error, 'OBJECT_NOT_FOUND')) throw error
    return sourceId
  }
}

async function followingLines(server: Server, vdb: Row): Promise<string[]> {
  const { text, clock } = server.site
  const localOf = (value: unknown): string =>
    typeof value === 'string' ? formatLocal(new Date(value)) : '?'
  const since = localOf(vdb['lastRefreshAt'] ?? vdb['readyAt'] ?? vdb['createdAt'])
  const source = await productionOf(server, textOf(vdb['sourceId']))
  const state = fieldOf(vdb, 'sync.state')
  const asOf = fieldOf(vdb, 'sync.asOf')
  const name = textOf(vdb['name'])
  const reason = textOf(fieldOf(vdb, 'sync.reason')) || '–'
  const at = localOf(vdb['dataAt'])
  const lines = [text('vdb.follows', { source, since })]
  if (state === 'paused') lines.push(text('vdb.followPaused', { at, name }))
  else if (state === 'broken') lines.push(text('vdb.followBroken', { reason, name }))
  else if (state === 'stopped') lines.push(text('vdb.followStopped', { reason, at }))
  else if (state === 'following') lines.push(text('vdb.followBehind', { lag: lagOf(vdb, text) }))
  else lines.push(text('vdb.followUnknown'))
  if (typeof asOf === 'string' && state !== 'paused') {
    const age = formatAge(clock.wallMs() - Date.parse(asOf), text)
    lines[lines.length - 1] += ` (${text('vdb.followSeen', { age })})`
  }
  return lines
}

function lagOf(vdb: Row, text: Server['site']['text']): string {
  const [ms, bytes] = [fieldOf(vdb, 'sync.lagMs'), fieldOf(vdb, 'sync.lagBytes')]
  const parts = [
    ...(typeof ms === 'number' ? [formatDuration(ms)] : []),
    ...(typeof bytes === 'number' ? [formatBytes(bytes)] : []),
  ]
  return parts.length === 0 ? text('vdb.lagUnknown') : parts.join(', ')
}
