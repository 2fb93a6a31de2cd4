/**
 * Ids of what control remembers: a prefix and a ULID in the form of kernel/ids.ts, sortable by
 * time and copyable by a double click. Pools keep the id that stands in their own directory.
 */
import type { Clock } from '@openmaas/kernel/clock'

/** Kind → prefix. `pool` is minted by the pool itself, never here. */
export const CONTROL_PREFIXES = {
  user: 'usr',
  token: 'tok',
  host: 'hst',
  source: 'src',
  policy: 'plc',
  point: 'pnt',
  job: 'job',
  medium: 'mnt',
  alert: 'alr',
  approval: 'apr',
  webhook: 'whk',
  channel: 'chn',
  notifyRule: 'ntr',
  delivery: 'dlv',
  notification: 'ntf',
  secret: 'sec',
  joinToken: 'jtk',
  virtualDatabase: 'vdb',
  bookmark: 'bkm',
  consistencyGroup: 'grp',
  groupPoint: 'gpt',
} as const
export type ControlKind = keyof typeof CONTROL_PREFIXES

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const TIME_DIGITS = 10
const RANDOM_BYTES = 10

/** What is needed of kernel/random's Random; a browser can give it too. */
export interface RandomBytes {
  bytes(count: number): Uint8Array
}

export function makeControlId(kind: ControlKind, clock: Clock, random: RandomBytes): string {
  let bits = BigInt(Math.max(0, Math.floor(clock.wallMs())))
  for (const byte of random.bytes(RANDOM_BYTES)) bits = (bits << 8n) | BigInt(byte)
  let text = ''
  for (let i = 0; i < TIME_DIGITS + 16; i += 1) {
    text = ALPHABET[Number(bits & 31n)] + text
    bits >>= 5n
  }
  return `${CONTROL_PREFIXES[kind]}_${text}`
}

const ULID = '[0-7][0-9A-HJKMNP-TV-Z]{25}'

/** The shape of an id of that kind; `pool` is `pol_…`. */
export function idPattern(kind: ControlKind | 'pool'): RegExp {
  const prefix = kind === 'pool' ? 'pol' : CONTROL_PREFIXES[kind]
  return new RegExp(`^${prefix}_${ULID}$`)
}
