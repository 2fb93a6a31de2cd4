/** What each kind of channel is asked for, and the config that the API wants of it. */
import type { CHANNEL_KINDS } from '@openmaas/api/resources/notification'

export type ChannelKind = (typeof CHANNEL_KINDS)[number]
export type FieldName =
  | 'url'
  | 'secret'
  | 'host'
  | 'port'
  | 'security'
  | 'user'
  | 'password'
  | 'from'
  | 'to'
  | 'address'
  | 'transport'

interface Field {
  readonly name: FieldName
  readonly optional?: true
  readonly secret?: true
}

const URL_FIELD: Field = { name: 'url' }
const SIGNED: readonly Field[] = [URL_FIELD, { name: 'secret', optional: true, secret: true }]

export const CHANNEL_FIELDS: Readonly<Record<ChannelKind, readonly Field[]>> = {
  webhook: SIGNED,
  email: [
    { name: 'host' },
    { name: 'port', optional: true },
    { name: 'security', optional: true },
    { name: 'user', optional: true },
    { name: 'password', optional: true, secret: true },
    { name: 'from' },
    { name: 'to' },
  ],
  slack: [URL_FIELD],
  teams: [URL_FIELD],
  wecom: [URL_FIELD],
  dingtalk: SIGNED,
  feishu: SIGNED,
  syslog: [{ name: 'address' }, { name: 'transport', optional: true }],
}

export type Typed = Readonly<Partial<Record<FieldName, string>>>
type Config = Record<string, string | number | string[]>

/** Null while something that is needed is missing. */
export function toConfig(kind: ChannelKind, typed: Typed): Config | null {
  const config: Config = {}
  for (const { name, optional } of CHANNEL_FIELDS[kind]) {
    const text = typed[name]?.trim() ?? ''
    if (text !== '') config[name] = valueOf(name, text)
    else if (optional !== true) return null
  }
  return config
}

function valueOf(name: FieldName, text: string): string | number | string[] {
  if (name === 'port') return Number(text)
  if (name === 'to') return text.split(/[,;\s]+/).filter((one) => one !== '')
  return text
}

/** Where it goes, as far as the API tells: secrets of an address do not come back. */
export function targetOf(config: Readonly<Record<string, unknown>>): string {
  const { to, address, url, host } = config
  if (Array.isArray(to)) return to.join(', ')
  const found = [address, url, host].find((value) => typeof value === 'string')
  return typeof found === 'string' ? found : '–'
}
