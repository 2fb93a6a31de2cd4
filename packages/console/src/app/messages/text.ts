import { defineMessages, type KeyOf } from '../../i18n/text.ts'
import { en } from './en.ts'
import { zhCn } from './zh-cn.ts'

export const appMessages = defineMessages('app', { en, zhCn })
/** Names of screens. */
export type NavigationKey = Extract<KeyOf<typeof en>, `nav.${string}`>
