/** Verbs of notifications: the channels that messages go to, and the rules that choose them. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { parse } from 'yaml'
import { toMaasError } from '@openmaas/kernel/error-message'
import { MaasError } from '@openmaas/kernel/errors'
import { listOf, loadObject, showOf } from '../lists.ts'
import { findId } from '../names.ts'
import { onServer } from '../server.ts'
import type { Row, Server } from '../server.ts'
import { labelsOf, showRow } from '../show.ts'

/** As the server takes it. */
const CONFIG_BYTES_MAX = 1024 * 1024
/** A message that was not delivered: something is in the way. */
const EXIT_UNDELIVERED = 9

export const listChannels = onServer(listOf('channel'))
export const showChannel = onServer(showOf('channel'))

/** `[a, b]`, `true` and small numbers are what they look like; all else is text. */
function valueOf(text: string): unknown {
  return /^(?:\[.*\]|true|false|\d{1,5})$/s.test(text) ? parse(text) : text
}

/** Secrets belong into the file: everybody on this machine sees the words of a command. */
function readConfig(server: Server): Row {
  const { site, input } = server
  const file = input.text('config-file')
  if (file === undefined) return {}
  let text: string
  try {
    text = readFileSync(file === '-' ? 0 : path.resolve(site.directory, file), 'utf8')
  } catch (error) {
    throw toMaasError(error)
  }
  const details = { path: file }
  if (text.length > CONFIG_BYTES_MAX) {
    throw new MaasError('CONFIG_INVALID', `${file} is too long for a channel`, details)
  }
  let value: unknown
  try {
    value = parse(text)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split('\n')[0] : String(cause)
    throw new MaasError('CONFIG_INVALID', `${file}: ${reason}`, details, { cause })
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Row
  throw new MaasError('CONFIG_INVALID', `${file} is not a list of key: value`, details)
}

function configOf(server: Server): Row {
  const given = Object.entries(labelsOf(server.input, 'set'))
  const set = Object.fromEntries(given.map(([key, text]) => [key, valueOf(text)]))
  return { ...readConfig(server), ...set }
}

function enabledOf({ input }: Server): Row {
  if (input.has('enable')) return { enabled: true }
  return input.has('disable') ? { enabled: false } : {}
}

function nameOf({ input }: Server): Row {
  const name = input.text('name')
  return name === undefined ? {} : { name }
}

export const addChannel = onServer(async (server, input, site) => {
  const [name, kind] = input.positionals
  const body = { name, kind, config: configOf(server), ...enabledOf(server) }
  const { body: channel } = await server.request('createChannel', { body })
  showRow(channel, { site, input })
})

/** The settings are replaced as a whole; only secrets that are not given stay. */
export const changeChannel = onServer(async (server, input, site) => {
  const { body: before, etag, id } = await loadObject(server, 'channel', input.positionals[0]!)
  const config = configOf(server)
  const isChanged = Object.keys(config).length > 0
  const body = {
    ...nameOf(server),
    ...enabledOf(server),
    ...(isChanged && { config: { ...(before['config'] as Row), ...config } }),
  }
  const params = { channelId: id }
  const { body: channel } = await server.request('changeChannel', { params, body, ifMatch: etag })
  showRow(channel, { site, input })
})

export const removeChannel = onServer(async (server, input) => {
  const channelId = await findId(server, 'channel', input.positionals[0]!)
  await server.request('deleteChannel', { params: { channelId } })
})

export const testChannel = onServer(async (server, input, site) => {
  const channelId = await findId(server, 'channel', input.positionals[0]!)
  const { body } = await server.request('testChannel', { params: { channelId } })
  showRow(body, { site, input, idField: 'delivered' })
  return body['delivered'] === true ? 0 : EXIT_UNDELIVERED
})

// ── rules ──────────────────────────────────────────────────────────────────

export const listRules = onServer(listOf('notifyRule'))
export const showRule = onServer(showOf('notifyRule'))

function windowOf({ input }: Server): Row {
  const text = input.text('window')
  if (text === undefined) return {}
  if (text === 'always') return { window: undefined }
  const times = /^(\d\d:\d\d)-(\d\d:\d\d)$/.exec(text)
  if (times === null) {
    const message = `--window wants two times such as 08:00-18:00, or always, not "${text}"`
    throw new MaasError('USAGE', message, { option: 'window' })
  }
  const timezone = input.text('timezone')
  const window = { from: times[1], to: times[2], ...(timezone !== undefined && { timezone }) }
  return { window }
}

function matchOf(server: Server, before: Row = {}): Row {
  const { input } = server
  const language = input.text('language')
  return {
    ...before,
    ...(input.has('severity') && { severities: input.list('severity') }),
    ...(input.has('rule') && { rules: input.list('rule') }),
    ...(input.has('label') && { labels: labelsOf(input, 'label') }),
    ...(input.has('digest') && { digest: true }),
    ...(language !== undefined && { language }),
    ...windowOf(server),
  }
}

async function channelsOf(server: Server): Promise<Row> {
  const { input } = server
  if (!input.has('channel')) return {}
  const channels: string[] = []
  for (const name of input.list('channel')) channels.push(await findId(server, 'channel', name))
  return { channels }
}

export const addRule = onServer(async (server, input, site) => {
  if (!input.has('channel')) {
    throw new MaasError('USAGE', 'a rule wants --channel: whom it tells', { option: 'channel' })
  }
  const match = matchOf(server)
  const body = { name: input.positionals[0], match, ...(await channelsOf(server)) }
  const { body: rule } = await server.request('createNotificationRule', { body })
  showRow(rule, { site, input })
})

export const changeRule = onServer(async (server, input, site) => {
  const { body: before, etag, id } = await loadObject(server, 'notifyRule', input.positionals[0]!)
  const body = {
    ...nameOf(server),
    ...enabledOf(server),
    ...(await channelsOf(server)),
    match: matchOf(server, before['match'] as Row),
  }
  const options = { params: { ruleId: id }, body, ifMatch: etag }
  const { body: rule } = await server.request('changeNotificationRule', options)
  showRow(rule, { site, input })
})

export const removeRule = onServer(async (server, input) => {
  const ruleId = await findId(server, 'notifyRule', input.positionals[0]!)
  await server.request('deleteNotificationRule', { params: { ruleId } })
})

// ── settings of the installation ───────────────────────────────────────────

export const showSettings = onServer(async (server, input, site) => {
  const { body } = await server.request('getSettings')
  showRow(body, { site, input, idField: 'version' })
})

function syslogOf({ input }: Server): Row {
  const address = input.text('audit-syslog')
  if (address === undefined) return {}
  if (address === 'none') return { auditSyslog: null }
  const transport = input.choice('transport', ['tcp', 'tls', 'udp']) ?? 'tcp'
  return { auditSyslog: { address, transport } }
}

export const changeSettings = onServer(async (server, input, site) => {
  const { etag } = await server.request('getSettings')
  const fourEyes = input.choice('four-eyes', ['on', 'off'])
  const idle = input.integer('session-idle', { min: 5, max: 1440 })
  const publicUrl = input.text('public-url')
  const body = {
    ...(fourEyes !== undefined && { fourEyes: fourEyes === 'on' }),
    ...(idle !== undefined && { sessionIdleMinutes: idle }),
    ...(publicUrl !== undefined && { publicUrl: publicUrl === 'none' ? null : publicUrl }),
    ...syslogOf(server),
  }
  const { body: settings } = await server.request('changeSettings', { body, ifMatch: etag })
  showRow(settings, { site, input, idField: 'version' })
})
