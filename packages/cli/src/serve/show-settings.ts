/** Settings as their owner would write them. */
import type { Settings } from '@openmaas/kernel/config'
import type { Input } from '../program/input.ts'
import { formatAddress } from './address.ts'
import type { Address } from './address.ts'
import { ROLES } from './settings.ts'
import type { RoleConfig, RoleName } from './settings.ts'

const ROLE_NAMES = Object.keys(ROLES) as RoleName[]

/** @throws MaasError USAGE */
export function readRole(input: Input): RoleName {
  return input.choice('role', ROLE_NAMES) ?? 'server'
}

export interface ShowOptions {
  /** With what was left at its default. */
  readonly effective: boolean
  /** Without the places of secrets, for others to see. */
  readonly redact: boolean
}

export function showSettings<R extends RoleName>(
  role: R,
  config: RoleConfig<R>,
  { effective, redact }: ShowOptions,
): Record<string, unknown> {
  const settings: Settings = ROLES[role].settings
  const rows = Object.entries(config as Record<string, unknown>).flatMap(([key, value]) => {
    const { initial, secret = false } = settings[key]!
    if (value === undefined) return []
    if (!effective && JSON.stringify(value) === JSON.stringify(initial)) return []
    return [[key, secret && redact ? '(set)' : spell(value)] as const]
  })
  return Object.fromEntries(rows)
}

function spell(value: unknown): unknown {
  const isAddress = typeof value === 'object' && value !== null && 'port' in value
  return isAddress ? formatAddress(value as Address) : value
}
