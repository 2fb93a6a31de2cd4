/**
 * Branded identifiers. Each is a prefix and a ULID (48 bits of milliseconds, 80 random bits, in
 * Crockford's base 32): sortable by time, copyable by a double click. Minted here only.
 */
import type { Clock } from './clock.ts'
import type { Random } from './random.ts'

type Brand<Name extends string> = string & { readonly __brand: Name }
export type PoolId = Brand<'PoolId'>
export type BrickId = Brand<'BrickId'>
export type SnapshotId = Brand<'SnapshotId'>
export type MediumId = Brand<'MediumId'>
export type SessionId = Brand<'SessionId'>
export type LayerId = Brand<'LayerId'>

const PREFIXES = {
  pool: 'pol',
  brick: 'brk',
  snapshot: 'snp',
  medium: 'mnt',
  session: 'ses',
  layer: 'lay',
}
type Kind = keyof typeof PREFIXES

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

function makeId(kind: Kind, clock: Clock, random: Random): string {
  let bits =
    (BigInt(Math.max(0, Math.floor(clock.wallMs()))) << 80n) |
    BigInt(`0x${random.bytes(10).toString('hex')}`)
  let text = ''
  for (let i = 0; i < 26; i += 1) {
    text = ALPHABET[Number(bits & 31n)] + text
    bits >>= 5n
  }
  return `${PREFIXES[kind]}_${text}`
}

export const makePoolId = (clock: Clock, random: Random): PoolId =>
  makeId('pool', clock, random) as PoolId
export const makeBrickId = (clock: Clock, random: Random): BrickId =>
  makeId('brick', clock, random) as BrickId
export const makeSnapshotId = (clock: Clock, random: Random): SnapshotId =>
  makeId('snapshot', clock, random) as SnapshotId
export const makeMediumId = (clock: Clock, random: Random): MediumId =>
  makeId('medium', clock, random) as MediumId
export const makeSessionId = (clock: Clock, random: Random): SessionId =>
  makeId('session', clock, random) as SessionId
export const makeLayerId = (clock: Clock, random: Random): LayerId =>
  makeId('layer', clock, random) as LayerId

/** True when the text has the shape of an id of that kind. */
export function isId(kind: Kind, text: string): boolean {
  return new RegExp(`^${PREFIXES[kind]}_[0-9A-HJKMNP-TV-Z]{26}$`).test(text)
}
