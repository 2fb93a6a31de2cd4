/** The formatters in the language that is shown. */
import { useMemo } from 'react'
import { useLanguage } from '../i18n/use-language.ts'
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatExact,
  formatRate,
  formatShare,
} from './format.ts'

export function useFormat() {
  const language = useLanguage()
  return useMemo(
    () => ({
      bytes: (sizeBytes: number) => formatBytes(sizeBytes, language),
      count: (value: number) => formatCount(value, language),
      duration: (durationMs: number) => formatDuration(durationMs, language),
      rate: (bytesPerSecond: number) => formatRate(bytesPerSecond, language),
      share: (share: number) => formatShare(share, language),
      exact: (at: string) => formatExact(new Date(at), language),
    }),
    [language],
  )
}
