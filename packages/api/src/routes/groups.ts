/** Consistency groups. What a scope shows of a group, it shows by the labels of the group. */
import { z } from 'zod'
import { danger, idOf, nameText, pageOf, plan } from '../resources/common.ts'
import {
  group,
  groupChange,
  groupCreate,
  groupDatabasesAccepted,
  groupDatabasesCreate,
  groupDatabasesPlan,
  groupPoint,
  groupProtectRequest,
} from '../resources/group.ts'
import { accepted } from '../resources/job.ts'
import { defineRoute, labelFilter, listQuery } from './define-route.ts'

const tag = 'groups'
const ALL = '/api/v1/groups'
const ONE = `${ALL}/{groupId}` as const
const params = z.strictObject({ groupId: idOf('consistencyGroup') })
const itself = { in: 'params', field: 'groupId', noun: 'consistencyGroup' } as const
const objects = [itself] as const

export const groupRoutes = {
  listGroups: defineRoute({
    method: 'GET',
    path: ALL,
    permission: 'source.read',
    tag,
    list: true,
    summary: { en: 'Consistency groups', zh: '一致性组列表' },
    query: listQuery({
      sorts: ['name', 'createdAt'],
      filters: { name: nameText, labels: labelFilter },
    }),
    response: { 200: pageOf(group) },
  }),
  createGroup: defineRoute({
    method: 'POST',
    path: ALL,
    permission: 'source.write',
    tag,
    summary: { en: 'Databases that belong to one moment', zh: '创建一致性组' },
    body: groupCreate,
    response: { 201: group },
  }),
  getGroup: defineRoute({
    method: 'GET',
    path: ONE,
    permission: 'source.read',
    tag,
    objects,
    summary: { en: 'One consistency group', zh: '一致性组详情' },
    params,
    response: { 200: group },
  }),
  changeGroup: defineRoute({
    method: 'PATCH',
    path: ONE,
    permission: 'source.write',
    tag,
    objects,
    precondition: true,
    summary: { en: 'Change members, policy or name', zh: '修改一致性组' },
    params,
    body: groupChange,
    response: { 200: group },
  }),
  deleteGroup: defineRoute({
    method: 'POST',
    path: `${ONE}/delete`,
    permission: 'source.write',
    tag,
    objects,
    dangerous: true,
    dryRun: true,
    summary: { en: 'Dissolve it; its members stay protected', zh: '解散一致性组(成员仍受保护)' },
    params,
    body: danger,
    response: { 200: plan, 204: null },
  }),
  protectGroup: defineRoute({
    method: 'POST',
    path: `${ONE}/protect`,
    permission: 'source.protect',
    tag,
    objects,
    wait: true,
    summary: { en: 'A point of all members at one moment', zh: '立即创建组恢复点' },
    params,
    body: groupProtectRequest,
    response: { 202: accepted },
  }),
  listGroupPoints: defineRoute({
    method: 'GET',
    path: `${ONE}/points`,
    permission: 'point.read',
    tag,
    objects,
    list: true,
    summary: { en: 'Moments of all members', zh: '组恢复点列表' },
    params,
    query: listQuery({ sorts: ['at'], defaultSort: '-at' }),
    response: { 200: pageOf(groupPoint) },
  }),
  createGroupDatabases: defineRoute({
    method: 'POST',
    path: `${ONE}/virtual-databases`,
    permission: 'virtual-database.create',
    tag,
    objects: [itself, { in: 'body', field: 'hostId', noun: 'host', permission: 'host.read' }],
    dryRun: true,
    wait: true,
    summary: { en: 'All members at one moment, ready to use', zh: '创建同一时刻的整组虚拟数据库' },
    params,
    body: groupDatabasesCreate,
    response: { 202: groupDatabasesAccepted, 200: groupDatabasesPlan },
  }),
} as const
