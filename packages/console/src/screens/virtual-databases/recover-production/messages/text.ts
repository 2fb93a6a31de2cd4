import { defineMessages } from '../../../../i18n/text.ts'
import { en } from './en.ts'
import { zhCn } from './zh-cn.ts'

export const recoverMessages = defineMessages('recover-production', { en, zhCn })
