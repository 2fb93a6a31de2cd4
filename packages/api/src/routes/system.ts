/** The installation as a whole: summary, events, configuration as documents, support. */
import { z } from 'zod'
import { applyRequest, applyResult, exported } from '../resources/document.ts'
import { eventsQuery } from '../resources/event.ts'
import { forecast, status } from '../resources/status.ts'
import { settings, settingsChange } from '../resources/setting.ts'
import { trendQuery, trends } from '../resources/trend.ts'
import { defineRoute, oneOfList } from './define-route.ts'

const tag = 'system'
const DOCUMENT_KINDS = ['policies', 'sources', 'hosts', 'webhooks', 'notifications'] as const
/** 5,000 documents of a few hundred bytes. */
const APPLY_BYTES_MAX = 8 * 1024 * 1024

export const systemRoutes = {
  getStatus: defineRoute({
    method: 'GET',
    path: '/api/v1/status',
    permission: 'source.read',
    tag,
    summary: { en: 'Am I safe, and can I get it back?', zh: '总体状态' },
    response: { 200: status },
  }),
  getForecast: defineRoute({
    method: 'GET',
    path: '/api/v1/forecast',
    permission: 'pool.read',
    tag,
    summary: { en: 'When pools are full', zh: '容量预测' },
    response: { 200: forecast },
  }),
  getTrends: defineRoute({
    method: 'GET',
    path: '/api/v1/trends',
    permission: 'pool.read',
    tag,
    summary: { en: 'How the days before went', zh: '历史趋势' },
    query: trendQuery,
    response: { 200: trends },
  }),
  streamEvents: defineRoute({
    method: 'GET',
    path: '/api/v1/events',
    permission: 'event.read',
    tag,
    stream: true,
    summary: { en: 'What happens, as it happens', zh: '实时事件流' },
    query: eventsQuery,
    response: { 200: { raw: ['text/event-stream'] } },
  }),
  exportDocuments: defineRoute({
    method: 'GET',
    path: '/api/v1/export',
    permission: 'setting.read',
    tag,
    summary: { en: 'The configuration as documents', zh: '导出配置' },
    query: z.strictObject({ kinds: oneOfList(DOCUMENT_KINDS).optional() }),
    response: { 200: exported },
  }),
  applyDocuments: defineRoute({
    method: 'POST',
    path: '/api/v1/apply',
    permission: 'policy.write',
    tag,
    dryRun: true,
    bodyBytesMax: APPLY_BYTES_MAX,
    summary: { en: 'Make the configuration as the documents say', zh: '应用配置文档' },
    body: applyRequest,
    response: { 200: applyResult },
  }),
  getSettings: defineRoute({
    method: 'GET',
    path: '/api/v1/settings',
    permission: 'setting.read',
    tag,
    summary: { en: 'Settings', zh: '系统设置' },
    response: { 200: settings },
  }),
  changeSettings: defineRoute({
    method: 'PATCH',
    path: '/api/v1/settings',
    permission: 'setting.write',
    tag,
    precondition: true,
    summary: { en: 'Change settings', zh: '修改系统设置' },
    body: settingsChange,
    response: { 200: settings },
  }),
  getSupportBundle: defineRoute({
    method: 'GET',
    path: '/api/v1/support-bundle',
    permission: 'support.read',
    tag,
    rate: 'expensive',
    summary: { en: 'What a fault report needs, without secrets', zh: '支持包(不含机密)' },
    response: { 200: { raw: ['application/gzip'] } },
  }),
} as const
