import type { JobDetail } from '@openmaas/api/resources/job'
import { hasKey, useText } from '../../i18n/text.ts'
import { stepsMessages } from './steps/messages/text.ts'

/** A step that a newer server adds keeps its own word. */
export function useStepName(): (kind: JobDetail['kind'], step: string) => string {
  const text = useText(stepsMessages)
  return (kind, step) => {
    const key = `${kind}.${step}`
    return hasKey(stepsMessages, key) ? text(key) : step
  }
}
