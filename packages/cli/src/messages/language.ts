/** Which of the two languages: --lang, then LC_ALL, LC_MESSAGES, LANG as everywhere. */
import { MaasError } from '@openmaas/kernel/errors'

export type Language = 'en' | 'zh'

type Environment = Readonly<Record<string, string | undefined>>

/** @throws MaasError USAGE when the wish is neither language */
export function chooseLanguage(wish: string | undefined, env: Environment): Language {
  if (wish !== undefined) {
    if (/^zh([_.@-]|$)/i.test(wish)) return 'zh'
    if (/^en([_.@-]|$)/i.test(wish)) return 'en'
    throw new MaasError('USAGE', `--lang wants en or zh, not "${wish}"`, { option: 'lang' })
  }
  const locale = env['LC_ALL'] || env['LC_MESSAGES'] || env['LANG'] || ''
  return /^zh([_.@-]|$)/i.test(locale) ? 'zh' : 'en'
}
