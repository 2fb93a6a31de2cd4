import type { Translation } from '../../../../i18n/text.ts'
import type { en } from './en.ts'

export const zhCn: Translation<typeof en> = {
  title: '在此恢复生产库:{{name}}',
  go: '恢复生产库',
  newest: '备库收到的全部内容,直至最后一个事务。',
  'what.newest': '先将备库已收到的内容保存为恢复点。',
  'what.moment': '所选时刻之后提交的内容不包含在内。',
  'what.stands': '实例将沿用生产库的账户、密码、超级用户和设置启动。',
  'what.free': '不加任何限制:生产库的超级用户在此仍是超级用户。',
  'what.refused': '只要生产库仍有应答,操作即被拒绝。',
  'what.refused.at': '只要生产库在 {{place}} 仍有应答,操作即被拒绝。',
  'what.off': '请确保生产库保持关闭:两者绝不可同时运行。',
  'what.back': '它运行在存储池的克隆上,随后可在其页面迁移到本地磁盘。',
  host: '接替生产库的主机',
  port: '应用连接的端口',
  name: '在此处的名称',
  settings: '与生产库不同的设置,每行一项',
  'stands.title': '正在代替生产库运行',
  'stands.text': '它运行在存储池的克隆上。回切到所在主机的本地磁盘:',
  'stands.how': '运行中复制,仅停顿数秒,端口和账户不变。',
  'stands.back': '迁移到本地目录…',
  'stands.wait': '开始运行后即可迁移回本地磁盘。',
  'back.title': '生产库已回到本地磁盘',
  'back.text': '它运行在 {{directory}}。请将其作为独立的数据源加以保护。',
  'back.protect': '加以保护',
}
