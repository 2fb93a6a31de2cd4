import type { Translation } from '../../../i18n/text.ts'
import type { en } from './en.ts'

export const zhCn: Translation<typeof en> = {
  title: '审批',
  empty: '没有审批请求。',
  why: '启用双人复核后,危险操作在此等待另一人的批准。',
  action: '操作',
  object: '对象',
  reason: '原因',
  by: '申请人',
  at: '申请时间',
  expires: '到期',
  state: '状态',
  decided: '审批人',
  'state.waiting': '待审批',
  'state.approved': '已批准',
  'state.refused': '已拒绝',
  'state.used': '已使用',
  'state.expired': '已过期',
  'filter.state': '按状态筛选',
  'filter.any': '全部状态',
  approve: '批准',
  refuse: '拒绝',
  params: '仅对以下内容有效',
  note: '备注(写入审计日志)',
}
