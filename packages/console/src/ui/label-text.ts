/** Labels as people type them: `env=prod`. */

export type Labels = Readonly<Record<string, string>>

/** Of the API: packages/api, resources/common.ts. */
const KEY = /^[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?$/
const VALUE_LENGTH_MAX = 128

export function labelTexts(labels: Labels): string[] {
  return Object.entries(labels).map(([key, value]) => `${key}=${value}`)
}

/** @returns null when it is none */
export function parseLabel(text: string): readonly [key: string, value: string] | null {
  const [key = '', ...rest] = text.trim().split('=')
  const value = rest.join('=').trim()
  if (rest.length === 0 || !KEY.test(key.trim()) || value.length > VALUE_LENGTH_MAX) return null
  return [key.trim(), value]
}

/** What is none is left out; of two with one key, the last holds. */
export function toLabels(texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(texts.map((text) => parseLabel(text)).filter((pair) => pair !== null))
}
