/** What is asked for before a virtual database is made, what is sent, and the same by CLI. */
import { objectNameFrom } from '@openmaas/api/object-name'
import type { AutoRefresh } from '@openmaas/api/resources/virtual-database'
import { shellWord } from '../snippets.ts'
import type { MomentBody } from './moment.ts'
import type { CreateBody } from './queries.ts'

export const REFRESHES = ['off', '1h', '6h', '1d', '7d', 'cron'] as const
export type Refresh = (typeof REFRESHES)[number]

export interface CreateForm {
  /** Null: what is proposed. */
  readonly name: string | null
  readonly hostId: string | null
  /** Null: a free one is chosen, and stays. */
  readonly port: number | null
  /** Others than its host can reach it. */
  readonly isOpen: boolean
  readonly user: string
  /** Null: for good. */
  readonly lifetimeSeconds: number | null
  readonly quotaGib: number | null
  readonly refresh: Refresh
  readonly cron: string
  readonly purpose: string
  /** `name = value`, one a line, as the engine calls them. */
  readonly settings: string
  /** Where the source asks for consent. */
  readonly reason: string
}

const GIB = 1024 ** 3
const DAY_SECONDS = 86_400
/** For roles that must have one: enough to try something out. */
const QUOTA_LIMITED_GIB = 10
const REASON_LENGTH_MIN = 3

/** What a limited role may have at most is the volume of the source; null: it is not known. */
function limitedQuotaGib(mostBytes: number | null): number {
  if (mostBytes === null) return QUOTA_LIMITED_GIB
  // Rounded down: a byte more is refused.
  return Math.min(QUOTA_LIMITED_GIB, Math.floor((mostBytes / GIB) * 100) / 100)
}

export function emptyForm(isLimited: boolean, mostBytes: number | null = null): CreateForm {
  return {
    name: null,
    hostId: null,
    port: null,
    isOpen: false,
    user: 'openmaas',
    lifetimeSeconds: 7 * DAY_SECONDS,
    quotaGib: isLimited ? limitedQuotaGib(mostBytes) : null,
    refresh: 'off',
    cron: '',
    purpose: '',
    settings: '',
    reason: '',
  }
}

/** `shop` → `shop-1123-0405`: names of those that run are unique. */
export function proposeName(sourceName: string, now: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0')
  const day = `${two(now.getMonth() + 1)}${two(now.getDate())}`
  return objectNameFrom(`${sourceName}-${day}-${two(now.getHours())}${two(now.getMinutes())}`)
}

const USER = /^[a-z_][a-z0-9_]{0,30}$/
export const isUser = (text: string): boolean => USER.test(text)

const SETTING = /^\s*([A-Za-z_][A-Za-z0-9_.-]{0,127})\s*=\s*(.*?)\s*$/

/** @returns null when a line is no setting */
export function parseSettings(text: string): Record<string, string> | null {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  const pairs = lines.map((line) => SETTING.exec(line))
  if (pairs.some((pair) => pair === null)) return null
  return Object.fromEntries(pairs.map((pair) => [pair![1]!, pair![2]!]))
}

/** @returns null: not by itself; undefined: what is typed is no cron yet */
export function toAutoRefresh(
  { refresh, cron }: Pick<CreateForm, 'refresh' | 'cron'>,
  timezone: string,
): AutoRefresh | null | undefined {
  if (refresh === 'off') return null
  if (refresh !== 'cron') return { every: refresh, timezone: 'UTC' }
  return cron.trim().split(/\s+/).length < 5 ? undefined : { cron: cron.trim(), timezone }
}

export function refreshOf(auto: AutoRefresh | null): Pick<CreateForm, 'refresh' | 'cron'> {
  if (auto === null) return { refresh: 'off', cron: '' }
  const known = REFRESHES.find((one) => one === auto.every)
  if (known !== undefined) return { refresh: known, cron: '' }
  return auto.cron === undefined
    ? { refresh: 'off', cron: '' }
    : { refresh: 'cron', cron: auto.cron }
}

export interface Situation {
  readonly sourceId: string
  readonly hostId: string | null
  readonly name: string
  readonly moment: MomentBody | null
  readonly timezone: string
  /** A data consumer: a quota and an end are needed. */
  readonly isLimited: boolean
  readonly asksConsent: boolean
}

/** @returns null while something is missing or wrong */
export function toCreateBody(form: CreateForm, of: Situation): CreateBody | null {
  const { sourceId, hostId, name, moment, timezone, isLimited, asksConsent } = of
  const { port, isOpen, user, lifetimeSeconds, quotaGib, purpose } = form
  const settings = parseSettings(form.settings)
  const autoRefresh = toAutoRefresh(form, timezone)
  const reason = form.reason.trim()
  if (moment === null || hostId === null || settings === null || autoRefresh === undefined) {
    return null
  }
  if (name.trim() === '' || !isUser(user)) return null
  if (isLimited && (quotaGib === null || lifetimeSeconds === null)) return null
  if (asksConsent && reason.length < REASON_LENGTH_MIN) return null
  const { pointId, ...otherMoment } = moment
  return {
    ...(pointId === undefined ? { sourceId } : { pointId }),
    ...otherMoment,
    name: name.trim(),
    hostId,
    port,
    listen: isOpen ? ['0.0.0.0'] : ['127.0.0.1'],
    user,
    settings,
    lifetimeSeconds,
    quotaBytes: quotaGib === null ? null : Math.round(quotaGib * GIB),
    // What follows production needs no refresh.
    autoRefresh: moment.liveSync === true ? null : autoRefresh,
    purpose: purpose.trim(),
    ...(asksConsent && { reason }),
  }
}

/** `openmaas vdb create …`: the same by CLI. */
export function createCli(
  sourceName: string,
  hostName: string,
  name: string,
  form: CreateForm,
  moment: MomentBody | null,
): string {
  const { lifetimeSeconds, quotaGib, port, isOpen, user, refresh } = form
  const { pointId, at, transaction, liveSync } = moment ?? {}
  const options = [
    at === undefined ? '' : `--at ${shellWord(at)}`,
    transaction === undefined ? '' : `--transaction ${shellWord(transaction)}`,
    liveSync === true ? '--live' : '',
    `--name ${shellWord(name)}`,
    `--to ${shellWord(hostName)}`,
    `--drop-after ${lifetimeSeconds === null ? 'never' : `${lifetimeSeconds / 3600}h`}`,
    quotaGib === null ? '' : `--quota ${quotaGib}GiB`,
    port === null ? '' : `--port ${port}`,
    isOpen ? '--listen 0.0.0.0' : '',
    user === 'openmaas' ? '' : `--user ${shellWord(user)}`,
    refresh === 'off' || refresh === 'cron' ? '' : `--refresh-every ${refresh}`,
  ]
  const words = ['openmaas vdb create', pointId ?? shellWord(sourceName), ...options]
  return words.filter((word) => word !== '').join(' ')
}
