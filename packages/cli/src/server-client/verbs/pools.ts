/** Verbs of the pools that a server knows. `pool init` and its like work on a pool directly. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { toMaasError } from '@openmaas/kernel/error-message'
import { ask, canAsk } from '../../program/terminal.ts'
import { MaasError } from '@openmaas/kernel/errors'
import { doDangerous } from '../danger.ts'
import { followJob } from '../job-watch.ts'
import { listOf, loadObject, showOf } from '../lists.ts'
import { findId } from '../names.ts'
import { onServer, textOf } from '../server.ts'
import type { Row, Server } from '../server.ts'
import { formatOf, labelsOf, showRow } from '../show.ts'
import { changedLabels } from './sources.ts'

export const list = onServer(listOf('pool'))
export const show = onServer(showOf('pool'))

async function passphraseOf(server: Server): Promise<string> {
  const { site } = server
  const file = site.settings.get('passphrase_file')
  if (file !== undefined) {
    try {
      return readFileSync(path.resolve(site.directory, file), 'utf8').replace(/\r?\n$/, '')
    } catch (error) {
      throw toMaasError(error)
    }
  }
  if (canAsk()) return ask(site, site.text('passphrase.ask'), { secret: true })
  throw new MaasError('POOL_PASSPHRASE_MISSING', 'the passphrase of the pool is needed')
}

function showCreated(server: Server, created: Row): void {
  const { site, input } = server
  if (formatOf(input, site) !== 'table') {
    showRow(created, { site, input })
    return
  }
  const pool = (created['pool'] ?? created) as Row
  site.out.line(textOf(pool['id']))
  const passphrase = created['passphrase']
  if (typeof passphrase !== 'string') return
  site.out.line(passphrase)
  site.out.note(site.text('pool.passphraseOnce'))
}

export const create = onServer(async (server, input) => {
  const [name, node, ...bricks] = input.positionals as [string, string, ...string[]]
  const redundancy = input.text('redundancy')
  const body = {
    name,
    nodeId: await findNode(server, node),
    bricks,
    labels: labelsOf(input, 'label'),
    ...(redundancy !== undefined && { redundancy }),
  }
  const { body: created } = await server.request('createPool', { body })
  showCreated(server, created)
})

/** Agent and node of one machine have the same name. */
async function findNode(server: Server, text: string): Promise<string> {
  const query = { 'filter[name]': text, 'filter[kind]': 'node' }
  const { rows } = await server.list('listHosts', query, { limit: 2 })
  const id = rows.length === 1 ? rows[0]?.['id'] : undefined
  return id === undefined ? findId(server, 'host', text) : textOf(id)
}

export const adopt = onServer(async (server, input) => {
  const [name, node, directory] = input.positionals as [string, string, string]
  const body = {
    name,
    nodeId: await findNode(server, node),
    path: directory,
    passphrase: await passphraseOf(server),
    labels: labelsOf(input, 'label'),
  }
  const { body: created } = await server.request('adoptPool', { body })
  showCreated(server, created)
})

export const change = onServer(async (server, input, site) => {
  const { body: before, etag, id } = await loadObject(server, 'pool', input.positionals[0]!)
  const name = input.text('name')
  const body = {
    ...(name !== undefined && { name }),
    ...(input.has('label') && { labels: changedLabels(server, before['labels'] as Row) }),
  }
  const params = { poolId: id }
  const { body: pool } = await server.request('changePool', { params, body, ifMatch: etag })
  showRow(pool, { site, input })
})

export const collect = onServer(async (server, input) => {
  const poolId = await findId(server, 'pool', input.positionals[0]!)
  const body = { approve: input.has('approve') }
  const { body: started } = await server.request('collectPool', { params: { poolId }, body })
  return followJob(server, started)
})

export const check = onServer(async (server, input) => {
  const poolId = await findId(server, 'pool', input.positionals[0]!)
  const body = { data: input.has('data') }
  const { body: started } = await server.request('checkPool', { params: { poolId }, body })
  return followJob(server, started)
})

export const remove = onServer(async (server, input) => {
  const { body, id } = await loadObject(server, 'pool', input.positionals[0]!)
  const name = textOf(body['name'])
  await doDangerous(server, { route: 'removePool', params: { poolId: id }, name })
})
