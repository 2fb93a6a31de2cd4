/** A selector as tags: a key that may have several values stands there once for each. */
import type { Policy } from '@openmaas/api/resources/policy'
import { parseLabel } from '../../ui/label-text.ts'

type Selector = Policy['selector']

export function selectorTexts(selector: Selector): string[] {
  return Object.entries(selector ?? {}).flatMap(([key, values]) =>
    (typeof values === 'string' ? [values] : values).map((value) => `${key}=${value}`),
  )
}

/** No tags: only where a source names the policy. An empty selector would hold for everything. */
export function toSelector(texts: readonly string[]): Selector {
  const pairs = texts.map((text) => parseLabel(text)).filter((pair) => pair !== null)
  if (pairs.length === 0) return null
  const byKey = Map.groupBy(pairs, ([key]) => key)
  return Object.fromEntries(
    [...byKey].map(([key, own]) => {
      const values = [...new Set(own.map(([, value]) => value))]
      return [key, values.length === 1 ? values[0]! : values]
    }),
  )
}
