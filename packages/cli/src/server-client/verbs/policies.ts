/** Verbs of SLA policies. Whole ones are written as documents: `openmaas apply`. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { parse } from 'yaml'
import { toMaasError } from '@openmaas/kernel/error-message'
import { MaasError } from '@openmaas/kernel/errors'
import { doDangerous } from '../danger.ts'
import { listOf, loadObject, showOf } from '../lists.ts'
import { findId } from '../names.ts'
import { onServer, textOf } from '../server.ts'
import type { Row, Server } from '../server.ts'
import { labelsOf, showRow } from '../show.ts'

export const list = onServer(listOf('policy'))
export const show = onServer(showOf('policy'))

const RULES = ['last', 'hourly', 'daily', 'weekly', 'monthly', 'yearly']

/** `--keep daily=7`; the rules not named keep nothing. */
function retentionOf(server: Server): Row {
  const counts = Object.fromEntries(RULES.map((rule) => [rule, 0]))
  for (const [rule, count] of Object.entries(labelsOf(server.input, 'keep'))) {
    if (!RULES.includes(rule) || !/^\d{1,6}$/.test(count)) {
      const message = `--keep wants ${RULES.join(', ')} with a number, not "${rule}=${count}"`
      throw new MaasError('USAGE', message, { option: 'keep' })
    }
    counts[rule] = Number(count)
  }
  return counts
}

/** A spec in a file, with what options say on top of it. */
function specOf(server: Server, before: Row = {}): Row {
  const { input, site } = server
  const file = input.text('file')
  const rpo = input.text('rpo')
  const lockDays = input.integer('lock-days', { min: 0, max: 36_500 })
  return {
    ...before,
    ...(file !== undefined && readSpec(path.resolve(site.directory, file))),
    ...(rpo !== undefined && { rpo }),
    ...(lockDays !== undefined && { lockDays }),
    ...(input.has('keep') && { retention: retentionOf(server) }),
  }
}

function readSpec(file: string): Row {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw toMaasError(error)
  }
  try {
    return (parse(text) ?? {}) as Row
  } catch (cause) {
    const message = `${file}: ${cause instanceof Error ? cause.message : String(cause)}`
    throw new MaasError('CONFIG_INVALID', message, { path: file }, { cause })
  }
}

function fieldsOf(server: Server): Row {
  const { input } = server
  const priority = input.text('priority')
  return {
    ...(input.has('selector') && { selector: labelsOf(input, 'selector') }),
    ...(priority !== undefined && { priority: Number(priority) }),
  }
}

export const add = onServer(async (server, input, site) => {
  const body = { name: input.positionals[0], spec: specOf(server), ...fieldsOf(server) }
  const { body: policy } = await server.request('createPolicy', { body })
  showRow(policy, { site, input })
})

export const change = onServer(async (server, input, site) => {
  const { body: before, etag, id } = await loadObject(server, 'policy', input.positionals[0]!)
  const spec = specOf(server)
  const reason = input.text('reason')
  const approvalId = input.text('approval')
  const name = input.text('name')
  const body = {
    ...(name !== undefined && { name }),
    ...(Object.keys(spec).length > 0 && { spec: { ...(before['spec'] as Row), ...spec } }),
    ...fieldsOf(server),
    ...(input.has('enable') && { enabled: true }),
    ...(input.has('disable') && { enabled: false }),
    ...(reason !== undefined && { reason }),
    ...(approvalId !== undefined && { approvalId }),
  }
  const params = { policyId: id }
  const { body: policy } = await server.request('changePolicy', { params, body, ifMatch: etag })
  showRow(policy, { site, input })
})

export const remove = onServer(async (server, input) => {
  const { body, id } = await loadObject(server, 'policy', input.positionals[0]!)
  const name = textOf(body['name'])
  await doDangerous(server, { route: 'deletePolicy', params: { policyId: id }, name })
})

/** Of a policy that exists, with changes to be tried. */
async function tried(server: Server): Promise<{ spec: Row; selector: unknown; policyId: string }> {
  const { body, id } = await loadObject(server, 'policy', server.input.positionals[0]!)
  const { selector = body['selector'] } = fieldsOf(server)
  return { spec: specOf(server, body['spec'] as Row), selector, policyId: id }
}

export const preview = onServer(async (server, input, site) => {
  const { body } = await server.request('previewPolicy', { body: await tried(server) })
  showRow(body, { site, input })
})

export const simulate = onServer(async (server, input, site) => {
  const { spec } = await tried(server)
  const days = input.integer('days', { min: 1, max: 3660 })
  const asked = { spec, ...(days !== undefined && { days }) }
  const { body } = await server.request('simulatePolicy', { body: asked })
  showRow(body, { site, input })
})

export const next = onServer(async (server, input, site) => {
  const policyId = await findId(server, 'policy', input.positionals[0]!)
  const limit = input.integer('limit', { min: 1, max: 100 }) ?? 5
  const { body } = await server.request('listNextRuns', { params: { policyId }, query: { limit } })
  showRow(body, { site, input })
})
