/** Texts of the commands of consistency groups, in Chinese. */
import type { englishGroupsHelp, englishGroupsRun } from './english-groups.ts'

export const chineseGroupsHelp: Readonly<Record<keyof typeof englishGroupsHelp, string>> = {
  'server.option.clock-limit': '各生产库时钟相差超过该值时不创建恢复点（默认 1s）',
  'server.option.add-member': '加入的数据库；可给出多次',
  'server.option.remove-member': '移出的数据库；可给出多次',
  'server.option.group-policy': '一致性组及其成员的策略；none 表示只手动执行',
  'server.option.group-point': '使用该组恢复点的时刻（默认最新）',
  'server.option.group-name': '名称前缀，如 test-orders 中的 test',
  'server.group-create': '创建一致性组：须在同一时刻恢复的多个数据库',
  'server.group-create.help':
    '每个成员都是已受保护的数据库。给出 --policy 时按该策略统一执行，成员也采用该策略。\n' +
    '同一服务器上的多个数据库属于一个数据源，其每个恢复点本就是同一时刻，无需建组。',
  'server.group-list': '列出一致性组',
  'server.group-show': '显示一致性组',
  'server.group-change': '修改一致性组的成员、策略或名称',
  'server.group-remove': '解散一致性组；成员仍受保护',
  'server.group-protect': '为全部成员创建同一时刻的恢复点',
  'server.group-points': '列出全部成员均可恢复的时刻',
  'server.group-vdb': '为每个成员创建同一时刻的虚拟数据库',
  'server.group-vdb.help': '要么全部创建，要么一个也不创建。时刻以整秒计：包含此前提交的全部事务。',
}

export const chineseGroupsRun: Readonly<Record<keyof typeof englishGroupsRun, string>> = {
  'group.made': '已创建一致性组 {name}：{id}',
  'group.protected': '{name} 的全部成员可恢复到 {at}。',
  'group.vdbs': '以下虚拟数据库均为 {at} 的数据：',
  'col.members': '成员',
  'col.moment': '时刻',
  'col.lastMoment': '最新时刻',
  'col.clockSpread': '时钟差',
}
