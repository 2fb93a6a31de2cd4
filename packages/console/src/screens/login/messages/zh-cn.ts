import type { Translation } from '../../../i18n/text.ts'
import type { en } from './en.ts'

export const zhCn: Translation<typeof en> = {
  title: '登录',
  server: '{{host}} 上的 OpenMaaS',
  name: '用户名',
  password: '密码',
  code: '第二因素验证码',
  'code.hint': '身份验证器上的六位数字,或恢复码。',
  submit: '登录',
  oidc: '通过 {{provider}} 登录',
  'change.title': '设置新密码',
  'change.why': '初始密码仅用于首次登录。',
  'change.next': '新密码(至少 12 个字符)',
  'change.again': '再次输入新密码',
  'change.differs': '两次输入不一致。',
  'change.submit': '修改密码',
}
