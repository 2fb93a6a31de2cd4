/** Verbs of media: points and clones as disks of a host. */
import { hostname } from 'node:os'
import { MaasError } from '@openmaas/kernel/errors'
import { parseDuration } from '../../format/time.ts'
import { followJob } from '../job-watch.ts'
import { listOf, showOf } from '../lists.ts'
import { findId, findMediumId, findPointId } from '../names.ts'
import { onServer, textOf } from '../server.ts'
import type { Row, Server } from '../server.ts'
import { labelsOf, showRow } from '../show.ts'

export const list = onServer(listOf('media'))
export const show = onServer(showOf('media'))

function lifetimeOf(server: Server): number | undefined {
  const text = server.input.text('ttl')
  if (text === undefined) return undefined
  const durationMs = parseDuration(text)
  if (durationMs !== undefined) return Math.round(durationMs / 1000)
  throw new MaasError('USAGE', `--ttl wants a time such as 24h, not "${text}"`, { option: 'ttl' })
}

function plugFields(server: Server): Row {
  const { input } = server
  const lifetimeSeconds = lifetimeOf(server)
  const quotaBytes = input.size('quota')
  const bytesPerSecond = input.size('rate')
  const texts = { name: 'name', mountPath: 'path', protocol: 'protocol', purpose: 'purpose' }
  const given = Object.entries(texts).filter(([, option]) => input.has(option))
  return {
    ...Object.fromEntries(given.map(([field, option]) => [field, input.text(option)])),
    ...(lifetimeSeconds !== undefined && { lifetimeSeconds }),
    ...(quotaBytes !== undefined && { quotaBytes }),
    ...(bytesPerSecond !== undefined && { bytesPerSecond }),
    readOnly: input.has('read-only'),
    mount: !input.has('no-mount'),
    labels: labelsOf(input, 'label'),
  }
}

/** On the host named, else on this machine when it is one that the server knows. */
export const plug = onServer(async (server, input, site) => {
  const pointId = await findPointId(server, input.positionals[0]!, input.text('at'))
  const hostId = await findId(server, 'host', input.text('to') ?? hostname())
  const body = { pointId, hostId, ...plugFields(server) }
  const { body: started } = await server.request('plugMedium', { body })
  const mediumId = textOf(started['mediumId'])
  return followJob(server, started, async () => {
    const { body: medium } = await server.request('getMedium', { params: { mediumId } })
    const { out, text } = site
    const place = textOf(medium['mountPath'] ?? medium['device'] ?? '')
    if (!out.isTerminal) out.line(`${mediumId}\t${place}`)
    else {
      out.say(text('media.ready', { name: textOf(medium['name']), place }))
      out.say(text('media.umount', { id: mediumId }))
    }
  })
})

export const eject = onServer(async (server, input, site) => {
  const mediumId = await findMediumId(server, input.positionals[0]!)
  const body = { force: input.has('force') }
  const { body: started } = await server.request('ejectMedium', { params: { mediumId }, body })
  return followJob(server, started, () => {
    site.out.note(site.text('eject.done', { id: mediumId }))
  })
})

export const extend = onServer(async (server, input, site) => {
  const mediumId = await findMediumId(server, input.positionals[0]!)
  const lifetimeSeconds = lifetimeOf(server)
  if (lifetimeSeconds === undefined) {
    throw new MaasError('USAGE', '"openmaas media extend" wants --ttl', { option: 'ttl' })
  }
  const params = { mediumId }
  const { body } = await server.request('extendMedium', { params, body: { lifetimeSeconds } })
  showRow(body, { site, input })
})
