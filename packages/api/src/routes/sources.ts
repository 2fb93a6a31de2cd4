/** What is protected. */
import { z } from 'zod'
import { idOf, idsOf, nameText, pageOf, plan } from '../resources/common.ts'
import { accepted } from '../resources/job.ts'
import {
  compliance,
  protectRequest,
  source,
  sourceChange,
  sourceCreate,
  sourceKind,
  sourceRemoval,
} from '../resources/source.ts'
import { sourceTrend, trendQuery } from '../resources/trend.ts'
import { defineRoute, flag, labelFilter, listQuery } from './define-route.ts'

const tag = 'sources'
const params = z.strictObject({ sourceId: idOf('source') })
const itself = { in: 'params', field: 'sourceId', noun: 'source' } as const
const objects = [itself] as const
const itsPool = { in: 'body', field: 'poolId', noun: 'pool', permission: 'pool.read' } as const

export const sourceRoutes = {
  listSources: defineRoute({
    method: 'GET',
    path: '/api/v1/sources',
    permission: 'source.read',
    tag,
    list: true,
    summary: { en: 'What is protected', zh: '数据源列表' },
    query: listQuery({
      sorts: ['name', 'createdAt', 'lastSuccessAt'],
      filters: {
        id: idsOf('source'),
        name: nameText,
        kind: sourceKind,
        hostId: idOf('host'),
        policyId: idOf('policy'),
        paused: flag,
        labels: labelFilter,
      },
    }),
    response: { 200: pageOf(source) },
  }),
  createSource: defineRoute({
    method: 'POST',
    path: '/api/v1/sources',
    permission: 'source.write',
    tag,
    objects: [{ in: 'body', field: 'hostId', noun: 'host', permission: 'host.read' }, itsPool],
    summary: { en: 'Protect something', zh: '添加数据源' },
    body: sourceCreate,
    response: { 201: source },
  }),
  getSource: defineRoute({
    method: 'GET',
    path: '/api/v1/sources/{sourceId}',
    permission: 'source.read',
    tag,
    objects,
    summary: { en: 'One source', zh: '数据源详情' },
    params,
    response: { 200: source },
  }),
  getSourceTrend: defineRoute({
    method: 'GET',
    path: '/api/v1/sources/{sourceId}/trend',
    permission: 'source.read',
    tag,
    objects,
    summary: { en: 'How a source changed, and how its promise was kept', zh: '数据源趋势' },
    params,
    query: trendQuery,
    response: { 200: sourceTrend },
  }),
  changeSource: defineRoute({
    method: 'PATCH',
    path: '/api/v1/sources/{sourceId}',
    permission: 'source.write',
    tag,
    objects: [itself, itsPool],
    precondition: true,
    summary: { en: 'Change a source', zh: '修改数据源' },
    params,
    body: sourceChange,
    response: { 200: source },
  }),
  deleteSource: defineRoute({
    method: 'POST',
    path: '/api/v1/sources/{sourceId}/delete',
    permission: 'source.write',
    tag,
    objects,
    dangerous: true,
    dryRun: true,
    summary: { en: 'Protect it no longer; its points stay', zh: '停止保护(恢复点保留)' },
    params,
    body: sourceRemoval,
    response: { 200: plan, 204: null },
  }),
  protectSource: defineRoute({
    method: 'POST',
    path: '/api/v1/sources/{sourceId}/protect',
    permission: 'source.protect',
    tag,
    objects,
    wait: true,
    summary: { en: 'Capture it now', zh: '立即备份' },
    params,
    body: protectRequest,
    response: { 202: accepted },
  }),
  pauseSource: defineRoute({
    method: 'POST',
    path: '/api/v1/sources/{sourceId}/pause',
    permission: 'source.write',
    tag,
    objects,
    summary: { en: 'Begin no scheduled run', zh: '暂停计划' },
    params,
    response: { 200: source },
  }),
  resumeSource: defineRoute({
    method: 'POST',
    path: '/api/v1/sources/{sourceId}/resume',
    permission: 'source.write',
    tag,
    objects,
    summary: { en: 'Follow its policy again', zh: '恢复计划' },
    params,
    response: { 200: source },
  }),
  getSourceCompliance: defineRoute({
    method: 'GET',
    path: '/api/v1/sources/{sourceId}/compliance',
    permission: 'source.read',
    tag,
    objects,
    summary: { en: 'Whether the promise is kept, and why', zh: '合规状态及原因' },
    params,
    response: { 200: compliance },
  }),
} as const
