/** One i18next for the console. Every folder brings its own messages, as a namespace: text.ts. */
import i18next from 'i18next'
import { initReactI18next } from 'react-i18next'

export const LANGUAGES = ['en', 'zh-CN'] as const
export type Language = (typeof LANGUAGES)[number]

const STORED_AS = 'openmaas.language'

/** What was chosen here before, else what the browser asks for. */
function initialLanguage(): Language {
  const stored = globalThis.localStorage?.getItem(STORED_AS)
  if (stored === 'en' || stored === 'zh-CN') return stored
  const preferred = globalThis.navigator?.languages ?? []
  const known = preferred.find((tag) => /^(?:zh|en)\b/i.test(tag))
  return known?.toLowerCase().startsWith('zh') === true ? 'zh-CN' : 'en'
}

export const i18n = i18next.createInstance()
void i18n.use(initReactI18next).init({
  lng: initialLanguage(),
  fallbackLng: false,
  resources: {},
  // Keys are flat: a dot is part of a name.
  keySeparator: false,
  nsSeparator: false,
  // Nothing is loaded later than the code that needs it, so nothing has to wait.
  initAsync: false,
  // React escapes what it shows.
  interpolation: { escapeValue: false },
  react: { useSuspense: false },
})

export function currentLanguage(): Language {
  return i18n.language === 'zh-CN' ? 'zh-CN' : 'en'
}

export function setLanguage(language: Language): void {
  globalThis.localStorage?.setItem(STORED_AS, language)
  void i18n.changeLanguage(language)
}
