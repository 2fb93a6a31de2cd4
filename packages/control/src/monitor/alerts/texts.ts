/**
 * The texts of alerts, made when somebody reads them. The type holds a text for every rule in
 * every language: a rule that lacks one does not compile.
 */
import type { Language } from '../../http/handler.ts'
import type { AlertText } from '../notify/message.ts'
import type { AlertTexts } from './alert-texts.ts'
import { ENGLISH } from './texts-en.ts'
import { CHINESE } from './texts-zh.ts'

export const TEXTS: { readonly [L in Language]: AlertTexts } = { en: ENGLISH, zh: CHINESE }

/** For rows of another version of this program, whose rules are not these. */
const UNKNOWN: { readonly [L in Language]: (rule: string) => AlertText } = {
  en: (rule) => ({
    title: `Alert ${rule}`,
    cause: 'Another version of the server found this.',
    nextStep: 'Look at it with openmaas alert show.',
  }),
  zh: (rule) => ({
    title: `告警 ${rule}`,
    cause: '由其他版本的服务器发现。',
    nextStep: '用 openmaas alert show 查看。',
  }),
}

export function describeAlert(
  alert: { readonly rule: string; readonly params: Readonly<Record<string, unknown>> },
  language: Language,
): AlertText {
  const texts: Readonly<Record<string, ((params: never) => AlertText) | undefined>> =
    TEXTS[language]
  if (!Object.hasOwn(texts, alert.rule)) return UNKNOWN[language](alert.rule)
  // Written by the rule itself, as its type says.
  return texts[alert.rule]!(alert.params as never)
}
