/** A person's scope as labels that can be typed; of several values the field shows `a|b`. */
import type { LabelSelector } from '@openmaas/api/permissions'
import type { Labels } from '../../ui/label-text.ts'

export function scopeLabels(scope: LabelSelector | null): Labels {
  const pairs = Object.entries(scope ?? {}).map(([key, wanted]) => {
    return [key, typeof wanted === 'string' ? wanted : wanted.join('|')] as const
  })
  return Object.fromEntries(pairs)
}

/** Nothing typed is no limit. */
export function toScope(labels: Labels): Record<string, string | string[]> | null {
  const pairs = Object.entries(labels).map(([key, value]) => {
    return [key, value.includes('|') ? value.split('|') : value] as const
  })
  return pairs.length === 0 ? null : Object.fromEntries(pairs)
}
