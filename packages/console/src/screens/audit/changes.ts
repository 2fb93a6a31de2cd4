/** What an audit entry changed, field by field. */

export interface Change {
  readonly field: string
  readonly before: string | null
  readonly after: string | null
}

/** Fields that are the same in both are left out; what is no object is one field. */
export function changesOf(before: unknown, after: unknown): Change[] {
  if (!isRecord(before ?? {}) || !isRecord(after ?? {})) {
    return [{ field: '', before: textOf(before), after: textOf(after) }]
  }
  const [old, now] = [(before ?? {}) as object, (after ?? {}) as object]
  const fields = new Set([...Object.keys(old), ...Object.keys(now)])
  return [...fields]
    .map((field) => ({ field, before: fieldOf(old, field), after: fieldOf(now, field) }))
    .filter((change) => change.before !== change.after)
}

function fieldOf(record: object, field: string): string | null {
  if (!Object.hasOwn(record, field)) return null
  return textOf((record as Record<string, unknown>)[field])
}

function textOf(value: unknown): string | null {
  if (value === undefined || value === null) return null
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function isRecord(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
