/**
 * The one spelling of a JSON value: keys sorted by UTF-16 code units, no white space. What is
 * checksummed or signed is written so, or two programs would disagree about the same value.
 */
import { assert } from '@openmaas/kernel/assert'

export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [key: string]: Json | undefined }

/** Undefined members are left out. Numbers must be safe integers: no float has two spellings. */
export function canonicalJson(value: Json): string {
  if (typeof value === 'number') {
    assert(Number.isSafeInteger(value) && !Object.is(value, -0), 'numbers are safe integers')
    return String(value)
  }
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  if (isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  const members: string[] = []
  for (const key of Object.keys(value).sort()) {
    const member = value[key]
    if (member !== undefined) members.push(`${JSON.stringify(key)}:${canonicalJson(member)}`)
  }
  return `{${members.join(',')}}`
}

/** Array.isArray does not narrow read-only arrays. */
function isArray(value: object): value is readonly Json[] {
  return Array.isArray(value)
}
