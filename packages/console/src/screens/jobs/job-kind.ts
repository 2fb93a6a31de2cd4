import { hasKey, useText } from '../../i18n/text.ts'
import { jobsMessages } from './messages/text.ts'

export const JOB_KINDS = [
  'protect',
  'plug',
  'eject',
  'restore',
  'verify',
  'collect',
  'check',
  'expire',
  'discover',
  'reconcile-media',
  'reconcile-points',
  'catalog-backup',
] as const

/** A kind that a newer server adds keeps its own word. */
export function useJobKind(): (kind: string) => string {
  const text = useText(jobsMessages)
  return (kind) => {
    const key = `kind.${kind}`
    return hasKey(jobsMessages, key) ? text(key as 'kind.protect') : kind
  }
}
