/** What the roles can be told: `openmaas serve`, `openmaas agent`, `openmaas node`. */
import { choice, flag, secretFile, text } from '@openmaas/kernel/config'
import type { Config, Setting } from '@openmaas/kernel/config'
import { LOG_LEVELS } from '@openmaas/kernel/log'
import { address } from './address.ts'

/** Names with commas between; none by default. */
function list(): Setting<readonly string[]> {
  const parse = (value: string) => value.split(',').flatMap((one) => one.trim() || [])
  return { initial: [], parse, wants: 'names with commas between' }
}

const COMMON = {
  /** Where everything is kept; each role has a directory of its own in it. */
  data: text('/var/lib/openmaas'),
  logLevel: choice(LOG_LEVELS, 'info'),
  logFormat: choice(['auto', 'json', 'human'], 'auto'),
} as const

/** What an agent may be asked to do with its machine, whatever the server says. */
const AGENT = {
  allowRestore: flag(true),
  allowMount: flag(true),
  pathsOnly: list(),
  /** A folder of executables: plug-ins of other database engines (docs/protocols). */
  plugins: text('/etc/openmaas/plugins'),
} as const

export const SERVER_SETTINGS = {
  ...COMMON,
  listen: address('127.0.0.1:8730'),
  channelListen: address('127.0.0.1:8731'),
  dataListen: address('127.0.0.1:8732'),
  nbdListen: address('127.0.0.1:8733'),
  /** Plain HTTP on `listen`: on loopback, or behind a proxy that speaks TLS. */
  http: flag(false),
  /** By which people and hosts reach this machine; the first goes into what they are told. */
  names: list(),
  /** `postgres://…`; else an SQLite file in the data directory. */
  catalogUrlFile: secretFile(),
  /** Do not make a pool at the first start. */
  noPool: flag(false),
  /** /metrics without a token. */
  metricsPublic: flag(false),
  /** Built files of the console. */
  consoleRoot: text(),
  ...AGENT,
} as const
export type ServerConfig = Config<typeof SERVER_SETTINGS>

export const AGENT_SETTINGS = { ...COMMON, ...AGENT } as const
export type AgentConfig = Config<typeof AGENT_SETTINGS>

export const NODE_SETTINGS = {
  ...COMMON,
  dataListen: address('0.0.0.0:8732'),
  nbdListen: address('0.0.0.0:8733'),
  /** By which other machines reach this one; its host name by default. */
  names: list(),
} as const
export type NodeConfig = Config<typeof NODE_SETTINGS>

/** Role → its settings and the file they stand in. */
export const ROLES = {
  server: { settings: SERVER_SETTINGS, file: '/etc/openmaas/server.yaml', folder: 'conf.d' },
  agent: { settings: AGENT_SETTINGS, file: '/etc/openmaas/agent.yaml', folder: 'agent.d' },
  node: { settings: NODE_SETTINGS, file: '/etc/openmaas/node.yaml', folder: 'node.d' },
} as const
export type RoleName = keyof typeof ROLES
export type RoleConfig<R extends RoleName> = Config<(typeof ROLES)[R]['settings']>
