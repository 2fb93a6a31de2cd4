/** Virtual databases. Each change of one is a job. */
import { z } from 'zod'
import { idOf, nameText, pageOf, plan } from '../resources/common.ts'
import { accepted } from '../resources/job.ts'
import {
  bookmark,
  bookmarkAccepted,
  bookmarkCreate,
  branchRequest,
  connectionRevealed,
  dropRequest,
  productionRecovery,
  promoteRequest,
  refreshRequest,
  resetRequest,
  stopRequest,
  VIRTUAL_DATABASE_STATES,
  virtualDatabase,
  virtualDatabaseAccepted,
  virtualDatabaseChange,
  virtualDatabaseCreate,
  virtualDatabaseExtend,
  virtualDatabasePlan,
} from '../resources/virtual-database.ts'
import { defineRoute, flag, labelFilter, listQuery, oneOfList } from './define-route.ts'

const tag = 'virtual-databases'
const ALL = '/api/v1/virtual-databases'
const ONE = `${ALL}/{virtualDatabaseId}` as const
const params = z.strictObject({ virtualDatabaseId: idOf('virtualDatabase') })
const bookmarkParams = params.extend({ bookmarkId: idOf('bookmark') })
const itself = { in: 'params', field: 'virtualDatabaseId', noun: 'virtualDatabase' } as const
const objects = [itself] as const
const onHost = { in: 'body', field: 'hostId', noun: 'host', permission: 'host.read' } as const
const ofPoint = { in: 'body', field: 'pointId', noun: 'point', permission: 'point.read' } as const
const permission = 'virtual-database.operate'

/** A verb about one of them that takes longer than a request. */
const verb = <const B extends z.ZodType>(name: string, body: B, en: string, zh: string) =>
  defineRoute({
    method: 'POST',
    path: `${ONE}/${name}`,
    permission,
    tag,
    objects,
    wait: true,
    summary: { en, zh },
    params,
    body,
    response: { 202: accepted },
  })

export const virtualDatabaseRoutes = {
  listVirtualDatabases: defineRoute({
    method: 'GET',
    path: ALL,
    permission: 'virtual-database.read',
    tag,
    list: true,
    summary: { en: 'Virtual databases', zh: '虚拟数据库列表' },
    query: listQuery({
      sorts: ['createdAt', 'name', 'leaseUntil'],
      defaultSort: '-createdAt',
      filters: {
        name: nameText,
        state: oneOfList(VIRTUAL_DATABASE_STATES),
        /** Those that have not ended. */
        active: flag,
        sourceId: idOf('source'),
        hostId: idOf('host'),
        parentId: idOf('virtualDatabase'),
        labels: labelFilter,
      },
    }),
    response: { 200: pageOf(virtualDatabase) },
  }),
  createVirtualDatabase: defineRoute({
    method: 'POST',
    path: ALL,
    permission: 'virtual-database.create',
    tag,
    objects: [
      { in: 'body', field: 'sourceId', noun: 'source', permission: 'source.read' },
      ofPoint,
      onHost,
    ],
    dryRun: true,
    wait: true,
    summary: { en: 'A database of any second, ready to use', zh: '创建任意时刻的虚拟数据库' },
    body: virtualDatabaseCreate,
    response: { 202: virtualDatabaseAccepted, 200: virtualDatabasePlan },
  }),
  recoverProduction: defineRoute({
    method: 'POST',
    path: `${ALL}/recover-production`,
    permission: 'virtual-database.recover',
    tag,
    objects: [
      { in: 'body', field: 'sourceId', noun: 'source', permission: 'source.read' },
      ofPoint,
      onHost,
    ],
    dangerous: true,
    dryRun: true,
    wait: true,
    summary: { en: 'Start a point where production stood', zh: '以生产库身份即时恢复' },
    body: productionRecovery,
    response: { 202: virtualDatabaseAccepted, 200: virtualDatabasePlan },
  }),
  getVirtualDatabase: defineRoute({
    method: 'GET',
    path: ONE,
    permission: 'virtual-database.read',
    tag,
    objects,
    summary: { en: 'One virtual database', zh: '虚拟数据库详情' },
    params,
    response: { 200: virtualDatabase },
  }),
  changeVirtualDatabase: defineRoute({
    method: 'PATCH',
    path: ONE,
    permission,
    tag,
    objects,
    precondition: true,
    summary: { en: 'Rename, label, keep, refresh by itself', zh: '修改虚拟数据库' },
    params,
    body: virtualDatabaseChange,
    response: { 200: virtualDatabase },
  }),
  refreshVirtualDatabase: defineRoute({
    ...verb('refresh', refreshRequest, 'Show another moment of production', '刷新到另一时刻'),
    objects: [itself, ofPoint],
  }),
  resetVirtualDatabase: verb('reset', resetRequest, 'Back to how it was', '重置'),
  pauseVirtualDatabase: verb(
    'pause',
    z.strictObject({}),
    'It follows production no further for now',
    '暂停实时同步',
  ),
  resumeVirtualDatabase: verb(
    'resume',
    z.strictObject({}),
    'It follows production again',
    '继续实时同步',
  ),
  openVirtualDatabase: verb(
    'open',
    z.strictObject({}),
    'End following and open it for writing',
    '结束同步并开放写入',
  ),
  promoteVirtualDatabase: defineRoute({
    ...verb('promote', promoteRequest, 'Move it to a local directory for good', '转为本地永久库'),
    permission: 'virtual-database.promote',
    dryRun: true,
    response: { 202: accepted, 200: plan },
  }),
  startVirtualDatabase: verb('start', z.strictObject({}), 'Start it', '启动'),
  stopVirtualDatabase: verb('stop', stopRequest, 'Stop it; it stays', '停止'),
  branchVirtualDatabase: defineRoute({
    method: 'POST',
    path: `${ONE}/branch`,
    permission: 'virtual-database.create',
    tag,
    objects: [{ ...itself, permission }, onHost],
    wait: true,
    summary: { en: 'Another one like it', zh: '创建分支' },
    params,
    body: branchRequest,
    response: { 202: virtualDatabaseAccepted },
  }),
  extendVirtualDatabase: defineRoute({
    method: 'POST',
    path: `${ONE}/extend`,
    permission,
    tag,
    objects,
    summary: { en: 'Keep it for longer', zh: '延长有效期' },
    params,
    body: virtualDatabaseExtend,
    response: { 200: virtualDatabase },
  }),
  dropVirtualDatabase: defineRoute({
    method: 'POST',
    path: `${ONE}/drop`,
    permission: 'virtual-database.drop',
    tag,
    objects,
    dryRun: true,
    wait: true,
    summary: { en: 'Drop it without a trace', zh: '删除虚拟数据库' },
    params,
    body: dropRequest,
    response: { 202: accepted, 200: plan },
  }),
  revealConnection: defineRoute({
    method: 'POST',
    path: `${ONE}/connection`,
    permission: 'virtual-database.connect',
    tag,
    objects,
    summary: { en: 'How to connect, with the password', zh: '查看连接信息与密码' },
    params,
    response: { 200: connectionRevealed },
  }),
  listBookmarks: defineRoute({
    method: 'GET',
    path: `${ONE}/bookmarks`,
    permission: 'virtual-database.read',
    tag,
    objects,
    list: true,
    summary: { en: 'Its bookmarks', zh: '书签列表' },
    params,
    query: listQuery({ sorts: ['createdAt'], defaultSort: '-createdAt' }),
    response: { 200: pageOf(bookmark) },
  }),
  createBookmark: defineRoute({
    method: 'POST',
    path: `${ONE}/bookmarks`,
    permission,
    tag,
    objects,
    wait: true,
    summary: { en: 'Remember how it is now', zh: '创建书签' },
    params,
    body: bookmarkCreate,
    response: { 202: bookmarkAccepted },
  }),
  deleteBookmark: defineRoute({
    method: 'POST',
    path: `${ONE}/bookmarks/{bookmarkId}/delete`,
    permission,
    tag,
    objects,
    wait: true,
    summary: { en: 'Delete a bookmark', zh: '删除书签' },
    params: bookmarkParams,
    response: { 202: accepted },
  }),
} as const
