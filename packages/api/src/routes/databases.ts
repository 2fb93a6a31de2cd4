/** Databases as sources: what is needed before one is protected, and what can be recovered. */
import { z } from 'zod'
import { idOf } from '../resources/common.ts'
import {
  databaseChecked,
  databaseCheckRequest,
  databaseDiscoverRequest,
  databasesDiscovered,
  databaseVerifyRequest,
  recoverRange,
} from '../resources/database.ts'
import { accepted } from '../resources/job.ts'
import { defineRoute } from './define-route.ts'

const tag = 'databases'
const onHost = { in: 'body', field: 'hostId', noun: 'host', permission: 'host.read' } as const

export const databaseRoutes = {
  discoverDatabases: defineRoute({
    method: 'POST',
    path: '/api/v1/databases/discover',
    permission: 'source.write',
    tag,
    objects: [onHost],
    summary: { en: 'Instances on a host', zh: '发现主机上的数据库实例' },
    body: databaseDiscoverRequest,
    response: { 200: databasesDiscovered },
  }),
  checkDatabase: defineRoute({
    method: 'POST',
    path: '/api/v1/databases/check',
    permission: 'source.write',
    tag,
    objects: [onHost],
    rate: 'expensive',
    summary: { en: 'Whether it can be protected, and what is missing', zh: '检查数据库能否保护' },
    body: databaseCheckRequest,
    response: { 200: databaseChecked },
  }),
  getRecoverRange: defineRoute({
    method: 'GET',
    path: '/api/v1/sources/{sourceId}/recover-range',
    permission: 'point.read',
    tag,
    objects: [{ in: 'params', field: 'sourceId', noun: 'source' }],
    summary: { en: 'Which seconds can be recovered', zh: '可恢复的时间范围' },
    params: z.strictObject({ sourceId: idOf('source') }),
    response: { 200: recoverRange },
  }),
  verifyDatabasePoint: defineRoute({
    method: 'POST',
    path: '/api/v1/points/{pointId}/verify-database',
    permission: 'source.protect',
    tag,
    objects: [{ in: 'params', field: 'pointId', noun: 'point' }, onHost],
    wait: true,
    summary: { en: 'Start it on a clone and check it', zh: '在克隆上启动并校验恢复点' },
    params: z.strictObject({ pointId: idOf('point') }),
    body: databaseVerifyRequest,
    response: { 202: accepted },
  }),
} as const
