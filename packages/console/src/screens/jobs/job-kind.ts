import { hasKey, useText } from '../../i18n/text.ts'
import { progressMessages } from './progress/messages/text.ts'

const PREFIX = 'kind.'

/** Every kind has its word: a test asks the server's list of them. */
export const JOB_KINDS: readonly string[] = Object.keys(progressMessages.en)
  .filter((key) => key.startsWith(PREFIX))
  .map((key) => key.slice(PREFIX.length))

/** A kind that a newer server adds keeps its own word. */
export function useJobKind(): (kind: string) => string {
  const text = useText(progressMessages)
  return (kind) => {
    const key = `${PREFIX}${kind}`
    return hasKey(progressMessages, key) ? text(key as 'kind.protect') : kind
  }
}
