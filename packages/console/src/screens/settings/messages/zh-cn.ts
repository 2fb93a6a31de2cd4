import type { Translation } from '../../../i18n/text.ts'
import type { en } from './en.ts'

export const zhCn: Translation<typeof en> = {
  title: '系统设置',
  setting: '设置项',
  value: '值',
  origin: '来源',
  'origin.default': '默认值',
  'origin.changed': '在此处、命令行或 API 中修改',
  fourEyes: '双人复核',
  'fourEyes.why': '危险操作需要另一人批准。',
  sessionIdleMinutes: '会话空闲超时(分钟)',
  'sessionIdleMinutes.why': '5 分钟至一天。',
  publicUrl: '本服务器地址',
  'publicUrl.why': '通知中链接的前缀。留空则不带链接。',
  auditSyslog: '审计日志转发到 syslog',
  'auditSyslog.why': '每条审计日志同时发送到此地址(主机:端口)。留空则不转发。',
  transport: '传输方式',
  oidc: '身份提供方',
  'oidc.why': '通过命令行修改:openmaas settings change。',
  'oidc.none': '无',
  save: '保存',
  saved: '已保存。',
  history: '变更记录',
  flags:
    '监听地址、数据目录和证书通过选项、环境变量或文件传给 “openmaas serve”,可用 “openmaas config print” 查看每项的来源。',
  support: '支持包',
}
