/** A text for every rule, in one language: one that lacks a rule does not compile. */
import type { AlertText } from '../notify/message.ts'
import type { AlertParams, AlertRule } from './alert-rules.ts'

export type AlertTexts = {
  readonly [R in AlertRule]: (params: AlertParams[R]) => AlertText
}
