/** What commands say, in Chinese. */
import type { englishRun } from './english-run.ts'

export const chineseRun: Readonly<Record<keyof typeof englishRun, string>> = {
  'error.label': '错误:',
  'hint.label': '提示:',
  'warning.label': '警告:',

  'age.now': '刚刚',
  'age.minutes': '{count} 分钟前',
  'age.hours': '{count} 小时前',
  'age.days': '{count} 天前',
}
