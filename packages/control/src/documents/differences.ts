/** What differs between two documents, as paths: `spec.promise.rpo`, before, after. */

export interface Difference {
  readonly path: string
  readonly before: unknown
  readonly after: unknown
}

type Tree = { readonly [key: string]: unknown }

const isTree = (value: unknown): value is Tree =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Lists are compared whole: their items have no names to be told apart by. */
export function differencesOf(before: unknown, after: unknown, path = ''): Difference[] {
  if (isTree(before) && isTree(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)])
    return [...keys]
      .toSorted()
      .flatMap((key) =>
        differencesOf(before[key], after[key], path === '' ? key : `${path}.${key}`),
      )
  }
  if (canonical(before) === canonical(after)) return []
  return [{ path, before: before ?? null, after: after ?? null }]
}

/** The same text for equal values, however their keys are ordered. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonical(item)).join(',')}]`
  if (!isTree(value)) return JSON.stringify(value) ?? 'null'
  const keys = Object.keys(value).filter((key) => value[key] !== undefined)
  const pairs = keys.toSorted().map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`)
  return `{${pairs.join(',')}}`
}
