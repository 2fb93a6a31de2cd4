import { hasKey, useText } from '../../i18n/text.ts'
import { progressMessages } from './progress/messages/text.ts'

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
  'protect-database',
  'unprotect-database',
  'verify-database',
  'make-virtual-database',
  'refresh-virtual-database',
  'start-virtual-database',
  'stop-virtual-database',
  'drop-virtual-database',
  'sync-virtual-database',
  'open-virtual-database',
  'promote-virtual-database',
  'make-bookmark',
  'delete-bookmark',
  'protect-group',
  'make-group-databases',
] as const

/** A kind that a newer server adds keeps its own word. */
export function useJobKind(): (kind: string) => string {
  const text = useText(progressMessages)
  return (kind) => {
    const key = `kind.${kind}`
    return hasKey(progressMessages, key) ? text(key as 'kind.protect') : kind
  }
}
