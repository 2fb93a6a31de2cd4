/** Storage pools. */
import { z } from 'zod'
import { danger, idOf, nameText, pageOf, plan } from '../resources/common.ts'
import { accepted } from '../resources/job.ts'
import {
  pool,
  poolAdopt,
  poolChange,
  poolCheck,
  poolCollect,
  poolCreate,
  poolCreated,
} from '../resources/pool.ts'
import { defineRoute, labelFilter, listQuery } from './define-route.ts'

const tag = 'pools'
const params = z.strictObject({ poolId: idOf('pool') })
const objects = [{ in: 'params', field: 'poolId', noun: 'pool' }] as const
const onNode = [{ in: 'body', field: 'nodeId', noun: 'host', permission: 'host.read' }] as const

export const poolRoutes = {
  listPools: defineRoute({
    method: 'GET',
    path: '/api/v1/pools',
    permission: 'pool.read',
    tag,
    list: true,
    summary: { en: 'Storage pools', zh: '存储池列表' },
    query: listQuery({
      sorts: ['name', 'createdAt'],
      filters: {
        name: nameText,
        state: z.enum(['online', 'offline', 'degraded', 'full']),
        nodeId: idOf('host'),
        labels: labelFilter,
      },
    }),
    response: { 200: pageOf(pool) },
  }),
  createPool: defineRoute({
    method: 'POST',
    path: '/api/v1/pools',
    permission: 'pool.write',
    tag,
    objects: onNode,
    secret: true,
    summary: { en: 'Make a pool on a node', zh: '在节点上创建存储池' },
    body: poolCreate,
    response: { 201: poolCreated },
  }),
  adoptPool: defineRoute({
    method: 'POST',
    path: '/api/v1/pools/adopt',
    permission: 'pool.write',
    tag,
    objects: onNode,
    summary: { en: 'Take a pool that exists into care', zh: '接管已有存储池' },
    body: poolAdopt,
    response: { 201: poolCreated },
  }),
  getPool: defineRoute({
    method: 'GET',
    path: '/api/v1/pools/{poolId}',
    permission: 'pool.read',
    tag,
    objects,
    summary: { en: 'One pool', zh: '存储池详情' },
    params,
    response: { 200: pool },
  }),
  changePool: defineRoute({
    method: 'PATCH',
    path: '/api/v1/pools/{poolId}',
    permission: 'pool.write',
    tag,
    objects,
    precondition: true,
    summary: { en: 'Rename or label a pool', zh: '修改存储池名称或标签' },
    params,
    body: poolChange,
    response: { 200: pool },
  }),
  collectPool: defineRoute({
    method: 'POST',
    path: '/api/v1/pools/{poolId}/gc',
    permission: 'pool.write',
    tag,
    objects,
    summary: { en: 'Free what no point needs', zh: '回收无用空间' },
    params,
    body: poolCollect,
    response: { 202: accepted },
  }),
  checkPool: defineRoute({
    method: 'POST',
    path: '/api/v1/pools/{poolId}/check',
    permission: 'pool.write',
    tag,
    objects,
    summary: { en: 'Check its structure, or every byte', zh: '检查存储池' },
    params,
    body: poolCheck,
    response: { 202: accepted },
  }),
  removePool: defineRoute({
    method: 'POST',
    path: '/api/v1/pools/{poolId}/remove',
    permission: 'pool.write',
    tag,
    objects,
    dangerous: true,
    dryRun: true,
    summary: { en: 'Forget a pool; its bytes stay', zh: '移除存储池(数据保留)' },
    params,
    body: danger,
    response: { 200: plan, 204: null },
  }),
} as const
