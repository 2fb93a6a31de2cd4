import { useTranslation } from 'react-i18next'
import { i18n, type Language } from './i18n.ts'

/** Renders anew when the language changes. */
export function useLanguage(): Language {
  const { i18n: current } = useTranslation(undefined, { i18n })
  return current.language === 'zh-CN' ? 'zh-CN' : 'en'
}
