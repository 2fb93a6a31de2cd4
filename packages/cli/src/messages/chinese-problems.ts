/**
 * What went wrong, in Chinese. A server says it in English; where code and details suffice it is
 * said here. What somebody else said, such as a database, follows in brackets as it was said.
 */
import { NAME_LENGTH_MAX } from '@openmaas/api/resources/common'
import { formatDuration } from '@openmaas/kernel/units'

export interface ToldProblem {
  readonly code: string
  readonly message: string
  readonly details?: Readonly<Record<string, unknown>> | undefined
}

/** @returns undefined where the details do not say enough */
type Say = (details: Readonly<Record<string, unknown>>, message: string) => string | undefined

const NOUNS: Readonly<Record<string, string>> = {
  source: '数据源',
  host: '主机',
  pool: '存储池',
  'virtual database': '虚拟数据库',
  group: '一致性组',
  policy: '策略',
  user: '用户',
  webhook: 'Webhook',
  channel: '通知渠道',
  rule: '通知规则',
  medium: '介质',
  point: '恢复点',
  'point of the source': '恢复点',
  bookmark: '书签',
  job: '作业',
}

const STATES: Readonly<Record<string, string>> = {
  creating: '创建中',
  running: '运行中',
  stopping: '停止中',
  stopped: '已停止',
  starting: '启动中',
  refreshing: '刷新中',
  resetting: '重置中',
  promoting: '转为永久库中',
  dropping: '删除中',
  dropped: '已删除',
  failed: '失败',
  lost: '失联',
}

const plain =
  (text: string): Say =>
  () =>
    text
const quoting =
  (text: string): Say =>
  (_, message) =>
    `${text}（${message}）`

const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' || typeof value === 'number' ? String(value) : undefined

const notFound: Say = ({ noun, name, id }) => {
  const what = NOUNS[textOf(noun) ?? '']
  const called = textOf(name) ?? textOf(id)
  return what === undefined || called === undefined ? undefined : `没有${what}“${called}”`
}

const ambiguous: Say = ({ noun, name, candidates }) => {
  const what = NOUNS[textOf(noun) ?? '']
  if (what === undefined || !Array.isArray(candidates)) return undefined
  return `有多个${what}名为“${textOf(name) ?? ''}”：${candidates.join('、')}`
}

const nameTaken: Say = ({ name }) =>
  textOf(name) === undefined ? '该名称已被占用' : `名称“${textOf(name)}”已被占用`

const requestInvalid: Say = ({ rule }) => {
  if (rule !== 'name') return undefined
  const letters = '可含任意文字的字母与数字、空格以及 - _ . : + ( )'
  return `名称须以字母、汉字或数字开头，${letters}，最多 ${NAME_LENGTH_MAX} 个字符`
}

const targetUnreachable: Say = ({ at, from, wanted, isToCome }, message) => {
  if (textOf(at) !== undefined && textOf(from) !== undefined) {
    return `该时刻（${textOf(at)}）早于最旧的恢复点（${textOf(from)}）`
  }
  if (textOf(wanted) === undefined) return `现有日志无法恢复到该处（${message}）`
  if (isToCome === true) return `生产库的日志中还没有 ${textOf(wanted)}；未生成恢复点`
  return `${textOf(wanted)} 早于最旧的恢复点`
}

const unfit: Say = ({ identity, expected, host, port }, message) => {
  if (textOf(expected) === undefined) return `该数据库目前无法受保护（${message}）`
  const place = `${textOf(host)}:${textOf(port)}`
  return `${place} 上是另一个数据库：其标识为 ${textOf(identity)}，受保护的是 ${textOf(expected)}`
}

const busy: Say = ({ state }) => {
  const said = STATES[textOf(state) ?? '']
  return said === undefined ? undefined : `该虚拟数据库${said}，目前不能执行此操作`
}

const promoted: Say = ({ directory }) =>
  `该虚拟数据库位于本地目录 ${textOf(directory) ?? ''}，不再基于克隆`

const answers: Say = ({ host, port }) => {
  if (textOf(host) === undefined) return undefined
  return `生产库仍在 ${textOf(host)}:${textOf(port)} 应答：请先停止它`
}

const approval: Say = ({ approvalId }) =>
  textOf(approvalId) === undefined ? '须经他人审批' : `须经他人审批：${textOf(approvalId)}`

const denied: Say = ({ permission }) =>
  textOf(permission) === undefined ? undefined : `需要权限 ${textOf(permission)}`

const dependency: Say = ({ jobId }, message) =>
  textOf(jobId) === undefined ? undefined : `所等待的作业 ${textOf(jobId)} 未成功（${message}）`

const clocks: Say = ({ behindMs }, message) =>
  typeof behindMs === 'number'
    ? `生产库的时钟比一致性组的时刻慢 ${formatDuration(behindMs)}`
    : `生产主机的时钟相差过大（${message}）`

/** What the parser of command lines says. */
const usage: Say = ({ option, unknown, near, wants, size, choices, extra, usage: line }) => {
  if (textOf(unknown) !== undefined) {
    const meant = textOf(near) === undefined ? '' : `；是否为 --${textOf(near)}？`
    return `没有选项 ${textOf(unknown)}${meant}`
  }
  if (textOf(wants) !== undefined) return `--${textOf(option)} 需要一个值：${textOf(wants)}`
  if (Array.isArray(choices)) return `--${textOf(option)} 只能是 ${choices.join('、')}`
  if (textOf(size) !== undefined) {
    return `--${textOf(option)} 需要带单位的大小，如 512M 或 20GiB，而不是“${textOf(size)}”`
  }
  if (textOf(extra) !== undefined) return `多余的参数“${textOf(extra)}”；用法：${textOf(line)}`
  return textOf(line) === undefined ? undefined : `参数不足；用法：${textOf(line)}`
}

const PROBLEMS: Readonly<Record<string, Say>> = {
  USAGE: usage,
  CANCELLED: quoting('已取消'),
  OBJECT_NOT_FOUND: notFound,
  OBJECT_AMBIGUOUS: ambiguous,
  OBJECT_IN_USE: quoting('对象正在使用中'),
  NAME_TAKEN: nameTaken,
  REQUEST_INVALID: requestInvalid,
  PRECONDITION_FAILED: plain('对象在读取之后已被修改'),
  CONSENT_MISSING: plain('未输入对象名称，或未说明原因'),
  APPROVAL_REQUIRED: approval,
  PERMISSION_DENIED: denied,
  AUTH_REQUIRED: plain('尚未登录'),
  LOGIN_FAILED: plain('用户名、口令或验证码有误'),
  CONTEXT_MISSING: plain('尚未选择服务器'),
  SERVER_UNREACHABLE: quoting('服务器没有应答'),
  DATABASE_UNREACHABLE: quoting('无法连接数据库'),
  DATABASE_DENIED: quoting('数据库拒绝登录，或缺少权限'),
  DATABASE_REFUSED: quoting('数据库拒绝了请求'),
  DATABASE_UNFIT: unfit,
  DATABASE_VERSION_UNSUPPORTED: quoting('不支持该数据库版本'),
  DATABASE_PROGRAM_FAILED: quoting('数据库程序执行失败'),
  DATABASE_START_FAILED: quoting('数据库实例未能启动'),
  DATABASE_NOT_SEEDED: plain('卷上尚无完整的副本'),
  DATABASE_CHAIN_BROKEN: quoting('备库所需的日志已缺失'),
  DATABASE_VOLUME_FULL: quoting('备库的卷已满'),
  DATABASE_BEHIND: quoting('备库落后于生产库'),
  DATABASE_TARGET_UNREACHABLE: targetUnreachable,
  SOURCE_NOT_DATABASE: plain('该数据源不是数据库'),
  DATABASE_ENGINE_UNKNOWN: quoting('该主机不支持此数据库引擎'),
  DATABASE_NOT_OFFERED: plain('该数据源未开放自助服务'),
  VIRTUAL_DATABASE_BUSY: busy,
  VIRTUAL_DATABASE_FULL: quoting('该虚拟数据库没有可写空间'),
  VIRTUAL_DATABASE_KEPT: plain('该虚拟数据库已标记为保留'),
  VIRTUAL_DATABASE_PROMOTED: promoted,
  VIRTUAL_DATABASE_FOLLOWS: plain('该虚拟数据库正在同步生产库'),
  VIRTUAL_DATABASE_OPEN: plain('该虚拟数据库没有同步生产库'),
  PRODUCTION_ANSWERS: answers,
  DIRECTORY_UNFIT: quoting('该目录不可用'),
  GROUP_MEMBER_FAILED: quoting('一致性组的成员失败'),
  GROUP_CLOCKS_APART: clocks,
  HOST_OFFLINE: plain('主机不在线'),
  HOST_DRAINED: plain('该主机不接收新任务'),
  ORDER_TIMEOUT: quoting('主机未在规定时间内答复'),
  POINT_NOT_AVAILABLE: plain('该恢复点不可用'),
  SOURCE_HAS_NO_POOL: plain('没有可用的存储池'),
  POOL_FULL: plain('存储池已满'),
  FS_NO_SPACE: quoting('磁盘空间不足'),
  JOB_DEPENDENCY_FAILED: dependency,
  JOB_DEADLINE: plain('作业超过了允许的时长'),
  JOB_ACTIVE: plain('已有作业正在进行'),
  JOB_ENDED: plain('作业已结束'),
}

/** As it was said, where nothing is known of it. */
export function chineseProblem({ code, message, details = {} }: ToldProblem): string {
  const say = Object.hasOwn(PROBLEMS, code) ? PROBLEMS[code] : undefined
  return say?.(details, message) ?? message
}
