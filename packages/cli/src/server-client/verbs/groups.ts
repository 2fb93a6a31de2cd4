/** Verbs of consistency groups: databases that are recovered at one moment. */
import { hostname } from 'node:os'
import { MaasError } from '@openmaas/kernel/errors'
import { parseDuration } from '../../format/time.ts'
import { doDangerous } from '../danger.ts'
import { followJob } from '../job-watch.ts'
import { listOf, loadNames, loadObject, showList, showOf } from '../lists.ts'
import { findId, momentTold } from '../names.ts'
import { onServer, textOf } from '../server.ts'
import type { Row, Server } from '../server.ts'
import { labelsOf, showRow } from '../show.ts'

export const list = onServer(listOf('group'))
export const show = onServer(showOf('group'))

/** `--policy none` runs it by hand only. */
async function policyOf(server: Server): Promise<Row> {
  const text = server.input.text('policy')
  if (text === undefined) return {}
  return { policyId: text === 'none' ? null : await findId(server, 'policy', text) }
}

function durationOf({ input, site }: Server, option: string, unitMs: number): number | undefined {
  const text = input.text(option)
  if (text === undefined) return undefined
  const durationMs = parseDuration(text)
  if (durationMs !== undefined) return Math.round(durationMs / unitMs)
  throw new MaasError('USAGE', site.text('usage.duration', { option, value: text }), { option })
}

async function findAll(server: Server, names: readonly string[]): Promise<string[]> {
  const ids: string[] = []
  for (const name of names) ids.push(await findId(server, 'source', name))
  return ids
}

async function fieldsOf(server: Server): Promise<Row> {
  const clockLimitMs = durationOf(server, 'clock-limit', 1)
  return {
    ...(await policyOf(server)),
    ...(clockLimitMs !== undefined && { clockLimitMs }),
    ...(server.input.has('label') && { labels: labelsOf(server.input, 'label') }),
  }
}

export const create = onServer(async (server, input, site) => {
  const name = input.text('name')
  if (name === undefined) {
    throw new MaasError('USAGE', '"openmaas group create" wants --name', { option: 'name' })
  }
  const sourceIds = await findAll(server, input.positionals)
  const body = { name, sourceIds, ...(await fieldsOf(server)) }
  const { body: group } = await server.request('createGroup', { body })
  const { out, text } = site
  if (out.isTerminal && !out.json) out.say(text('group.made', { name, id: textOf(group['id']) }))
  else showRow(group, { site, input })
})

export const change = onServer(async (server, input, site) => {
  const { body: before, etag, id } = await loadObject(server, 'group', input.positionals[0]!)
  const name = input.text('name')
  const gone = await findAll(server, input.list('remove'))
  const come = await findAll(server, input.list('add'))
  const members = [...new Set([...(before['sourceIds'] as string[]), ...come])]
  const isChanged = gone.length + come.length > 0
  const body = {
    ...(name !== undefined && { name }),
    ...(isChanged && { sourceIds: members.filter((each) => !gone.includes(each)) }),
    ...(await fieldsOf(server)),
  }
  const params = { groupId: id }
  const { body: group } = await server.request('changeGroup', { params, body, ifMatch: etag })
  showRow(group, { site, input })
})

export const remove = onServer(async (server, input) => {
  const { body, id } = await loadObject(server, 'group', input.positionals[0]!)
  const name = textOf(body['name'])
  await doDangerous(server, { route: 'deleteGroup', params: { groupId: id }, name })
})

export const protect = onServer(async (server, input, site) => {
  const { body, id: groupId } = await loadObject(server, 'group', input.positionals[0]!)
  const params = { groupId }
  const { body: started } = await server.request('protectGroup', { params, body: {} })
  const { out, text } = site
  return followJob(server, started, ({ result }) => {
    const at = textOf(result?.['at'])
    if (out.isTerminal) out.say(text('group.protected', { name: textOf(body['name']), at }))
    else out.line(`${textOf(result?.['groupPointId'])}\t${at}`)
  })
})

export const points = onServer(async (server, input) => {
  const groupId = await findId(server, 'group', input.positionals[0]!)
  await showList(server, 'groupPoint', { groupId })
})

export const vdb = onServer(async (server, input, site) => {
  const { body: group, id: groupId } = await loadObject(server, 'group', input.positionals[0]!)
  const at = input.text('at')
  const lifetimeSeconds = durationOf(server, 'drop-after', 1000)
  const quotaBytes = input.size('quota')
  const groupPointId = input.text('point')
  const body = {
    name: input.text('name') ?? textOf(group['name']),
    hostId: await findId(server, 'host', input.text('to') ?? hostname()),
    labels: labelsOf(input, 'label'),
    ...(at !== undefined && { at: momentTold(at, server) }),
    ...(groupPointId !== undefined && { groupPointId }),
    ...(lifetimeSeconds !== undefined && { lifetimeSeconds }),
    ...(quotaBytes !== undefined && { quotaBytes }),
    ...(input.has('listen') && { listen: input.list('listen') }),
    ...(input.has('user') && { user: input.text('user') }),
    ...(input.has('for') && { purpose: input.text('for') }),
  }
  const params = { groupId }
  if (input.has('dry-run')) {
    const planned = await server.request('createGroupDatabases', { params, body, dryRun: true })
    showRow(planned.body, { site, input })
    return 0
  }
  const { body: started } = await server.request('createGroupDatabases', { params, body })
  return followJob(server, started, () => showMade(server, started))
})

async function showMade(server: Server, started: Row): Promise<void> {
  const { out, text } = server.site
  const names = await loadNames(server, ['source'])
  if (out.isTerminal) out.say(text('group.vdbs', { at: textOf(started['at']) }))
  for (const each of started['virtualDatabases'] as Row[]) {
    const source = names.get(textOf(each['sourceId'])) ?? textOf(each['sourceId'])
    out.line([textOf(each['virtualDatabaseId']), textOf(each['name']), source].join('\t'))
  }
}
