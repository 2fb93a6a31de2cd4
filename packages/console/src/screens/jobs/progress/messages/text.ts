import { defineMessages } from '../../../../i18n/text.ts'
import { en } from './en.ts'
import { zhCn } from './zh-cn.ts'

/** Of jobs wherever they are named: on the dashboard too, which loads no more of them. */
export const progressMessages = defineMessages('job-progress', { en, zhCn })
