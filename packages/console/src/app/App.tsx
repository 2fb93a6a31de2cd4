/** The console as a whole: data, language, theme, and the page that the address names. */
import { useEffect, useState, type ReactNode } from 'react'
import { QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import ConfigProvider from 'antd/es/config-provider'
import type { Locale } from 'antd/es/locale'
import enUs from 'antd/es/locale/en_US'
import antTheme from 'antd/es/theme'
import { queryClient } from '../api/query-client.ts'
import { useLanguage } from '../i18n/use-language.ts'
import { router } from './router.ts'
import { useIsDark } from './theme.ts'

/** Dark enough that white on it, and it on white, can be read: 4.5 to 1 (WCAG 2.2 AA). */
const PRIMARY = '#1456c8'
const PRIMARY_DARK = '#3f7fe8'

/** Asked for by the person, in their system. */
const STILL = matchMedia('(prefers-reduced-motion: reduce)')

/** Of components whose own colours miss that. */
const READABLE = {
  Button: { colorError: '#b3202a', colorErrorHover: '#c02832', colorErrorActive: '#8f1820' },
}
const READABLE_DARK = {
  Button: {
    colorError: '#ff8f92',
    colorErrorHover: '#ffabad',
    colorErrorActive: '#ff8f92',
    dangerColor: '#0f1318',
  },
  Tabs: { itemSelectedColor: '#7fb0ff', itemHoverColor: '#a5c8ff', itemActiveColor: '#7fb0ff' },
}

export function App() {
  return (
    <QueryClientProvider client={queryClient}>
      <Look>
        <RouterProvider router={router} />
      </Look>
    </QueryClientProvider>
  )
}

function Look({ children }: { readonly children: ReactNode }) {
  const isDark = useIsDark()
  const locale = useAntLocale()
  const language = useLanguage()
  useEffect(() => {
    document.documentElement.lang = language
    document.documentElement.dataset['theme'] = isDark ? 'dark' : 'light'
  }, [language, isDark])
  const theme = {
    algorithm: isDark ? antTheme.darkAlgorithm : antTheme.defaultAlgorithm,
    token: {
      motion: !STILL.matches,
      colorPrimary: isDark ? PRIMARY_DARK : PRIMARY,
      colorLink: isDark ? '#7fb0ff' : PRIMARY,
      colorTextSecondary: isDark ? '#b6bcc6' : '#505866',
      colorTextDescription: isDark ? '#b6bcc6' : '#505866',
      colorTextPlaceholder: isDark ? '#a0a7b2' : '#667080',
      fontFamily:
        'system-ui, -apple-system, "Segoe UI", "Noto Sans SC", "Microsoft YaHei", sans-serif',
    },
    components: isDark ? READABLE_DARK : READABLE,
  }
  return (
    <ConfigProvider locale={locale} theme={theme} button={{ autoInsertSpace: false }}>
      {children}
    </ConfigProvider>
  )
}

/** Chinese is fetched when it is wanted. */
function useAntLocale(): Locale {
  const language = useLanguage()
  const [chinese, setChinese] = useState<Locale>()
  useEffect(() => {
    if (language !== 'zh-CN' || chinese !== undefined) return
    void import('antd/es/locale/zh_CN').then((module) => setChinese(module.default))
  }, [language, chinese])
  return language === 'zh-CN' ? (chinese ?? enUs) : enUs
}
