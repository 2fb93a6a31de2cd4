/**
 * Canonical JSON: keys sorted by code unit, no white space, no undefined members. The same value
 * always gives the same bytes, so a hash over them can be compared.
 */
import { assert } from '@openmaas/kernel/assert'

export function encodeCanonical(value: unknown): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') {
    return JSON.stringify(value)
  }
  if (typeof value === 'number') {
    assert(Number.isFinite(value), 'canonical JSON holds finite numbers')
    return JSON.stringify(value)
  }
  if (Array.isArray(value)) return `[${value.map(encodeCanonical).join(',')}]`
  assert(typeof value === 'object', 'canonical JSON holds no functions, symbols or bigints')
  const members: string[] = []
  for (const key of Object.keys(value).toSorted()) {
    const member = (value as Record<string, unknown>)[key]
    if (member !== undefined) members.push(`${JSON.stringify(key)}:${encodeCanonical(member)}`)
  }
  return `{${members.join(',')}}`
}
