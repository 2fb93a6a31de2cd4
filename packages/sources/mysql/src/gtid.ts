/**
 * How far a server is, in transactions.
 *
 * MariaDB: a position, the last transaction of each domain: `0-1-123,7-2-45` (domain-server-seq).
 * MySQL: a set of all transactions: `uuid:1-5:7,uuid:tag:1-3`. Both as text, as servers give them.
 */
import { MaasError } from '@openmaas/kernel/errors'
import type { Product } from './version.ts'

export interface GtidMath {
  /** Whether all of `part` is in `whole`. */
  contains(whole: string, part: string): boolean
  /** Both together; MariaDB: the later of each domain. */
  union(a: string, b: string): string
  /** One transaction as text, as its event, or null when it is no such. */
  parse(id: string): string | null
}

/** Domains, or UUIDs with tags, of one server: a handful in practice. */
const MEMBERS_MAX = 100_000

function invalid(text: string): MaasError {
  const message = `"${text.slice(0, 80)}" is no GTID of this product`
  return new MaasError('CONFIG_INVALID', message, {})
}

// MariaDB.

interface MariadbGtid {
  readonly domain: number
  readonly server: number
  readonly sequence: bigint
}

const MARIADB_GTID = /^(\d{1,10})-(\d{1,10})-(\d{1,20})$/

export function parseMariadbPosition(text: string): Map<number, MariadbGtid> {
  const position = new Map<number, MariadbGtid>()
  for (const part of membersOf(text)) {
    const match = MARIADB_GTID.exec(part)
    if (match === null) throw invalid(text)
    const domain = Number(match[1])
    const gtid = { domain, server: Number(match[2]), sequence: BigInt(match[3]!) }
    const before = position.get(domain)
    if (before === undefined || before.sequence < gtid.sequence) position.set(domain, gtid)
  }
  return position
}

function membersOf(text: string): string[] {
  const members = text
    .replace(/\s+/g, '')
    .split(',')
    .filter((part) => part !== '')
  if (members.length > MEMBERS_MAX) throw invalid(text)
  return members
}

export const MARIADB_GTIDS: GtidMath = {
  contains(whole, part) {
    const position = parseMariadbPosition(whole)
    return [...parseMariadbPosition(part).values()].every(
      ({ domain, sequence }) => (position.get(domain)?.sequence ?? 0n) >= sequence,
    )
  },
  union(a, b) {
    const position = parseMariadbPosition(`${a},${b}`)
    return [...position.values()]
      .toSorted((x, y) => x.domain - y.domain)
      .map(({ domain, server, sequence }) => `${domain}-${server}-${sequence}`)
      .join(',')
  },
  parse: (id) => (MARIADB_GTID.test(id.trim()) ? id.trim() : null),
}

// MySQL.

/** First and last, both in it. */
type Interval = readonly [bigint, bigint]

const MYSQL_UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const MYSQL_TAG = /^[a-z_][a-z0-9_]{0,31}$/
const MYSQL_INTERVAL = /^(\d{1,19})(?:-(\d{1,19}))?$/

/** "uuid" or "uuid:tag" → its intervals, in order and merged. */
export function parseMysqlSet(text: string): Map<string, Interval[]> {
  const set = new Map<string, Interval[]>()
  for (const member of membersOf(text.toLowerCase())) {
    const [uuid = '', ...parts] = member.split(':')
    if (!MYSQL_UUID.test(uuid) || parts.length === 0) throw invalid(text)
    let key = uuid
    for (const part of parts) {
      const match = MYSQL_INTERVAL.exec(part)
      if (match === null && !MYSQL_TAG.test(part)) throw invalid(text)
      if (match === null) {
        key = `${uuid}:${part}`
        continue
      }
      const first = BigInt(match[1]!)
      const last = match[2] === undefined ? first : BigInt(match[2])
      if (first < 1n || last < first) throw invalid(text)
      set.set(key, merge([...(set.get(key) ?? []), [first, last]]))
    }
  }
  return set
}

function merge(intervals: readonly Interval[]): Interval[] {
  const merged: Interval[] = []
  for (const [first, last] of intervals.toSorted((a, b) => (a[0] < b[0] ? -1 : 1))) {
    const before = merged.at(-1)
    if (before === undefined || first > before[1] + 1n) merged.push([first, last])
    else if (last > before[1]) merged[merged.length - 1] = [before[0], last]
  }
  return merged
}

export const MYSQL_GTIDS: GtidMath = {
  contains(whole, part) {
    const set = parseMysqlSet(whole)
    for (const [key, intervals] of parseMysqlSet(part)) {
      const ours = set.get(key) ?? []
      const within = ([first, last]: Interval): boolean =>
        ours.some((interval) => interval[0] <= first && last <= interval[1])
      if (!intervals.every(within)) return false
    }
    return true
  },
  union(a, b) {
    return [...parseMysqlSet(`${a},${b}`)]
      .toSorted(([x], [y]) => (x < y ? -1 : 1))
      .map(([key, intervals]) => {
        const texts = intervals.map(([first, last]) =>
          first === last ? `${first}` : `${first}-${last}`,
        )
        return `${key}:${texts.join(':')}`
      })
      .join(',')
  },
  parse(id) {
    const parts = id.trim().toLowerCase().split(':')
    const [uuid = '', ...rest] = parts
    const sequence = rest.at(-1) ?? ''
    const tagged = rest.length === 2 && MYSQL_TAG.test(rest[0]!)
    if (!MYSQL_UUID.test(uuid) || !(rest.length === 1 || tagged)) return null
    return /^(?=.*[1-9])\d{1,19}$/.test(sequence) ? parts.join(':') : null
  },
}

export function gtidsOf(product: Product): GtidMath {
  return product === 'mariadb' ? MARIADB_GTIDS : MYSQL_GTIDS
}
