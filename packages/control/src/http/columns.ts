/** From columns to what the API shows. */
import { failure } from '@openmaas/api/resources/common'
import { assert } from '@openmaas/kernel/assert'
import type { z } from 'zod'

export const timeOf = (ms: number): string => new Date(ms).toISOString()
export const timeOrNull = (ms: number | null): string | null => (ms === null ? null : timeOf(ms))

/** A column ending in `Json` that holds an object. */
export function objectOf(text: string): Record<string, unknown> {
  const value: unknown = JSON.parse(text)
  assert(typeof value === 'object' && value !== null, 'a JSON column holds an object')
  return value as Record<string, unknown>
}

export const labelsOf = (text: string): Record<string, string> =>
  objectOf(text) as Record<string, string>

export function failureOf(text: string | null): z.infer<typeof failure> | null {
  if (text === null) return null
  const { code, message, details } = objectOf(text)
  return failure.parse({ code, message, ...(details !== undefined && { details }) })
}
