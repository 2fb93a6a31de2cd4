/** SLA policies: promises, and what would come of them. */
import { z } from 'zod'
import { danger, idOf, idsOf, nameText, pageOf, plan } from '../resources/common.ts'
import {
  complianceReport,
  nextRuns,
  policy,
  policyChange,
  policyCreate,
  policyPreview,
  policyPreviewRequest,
  policySimulated,
  policySimulateRequest,
} from '../resources/policy.ts'
import { complianceState } from '../resources/source.ts'
import { defineRoute, flag, listQuery } from './define-route.ts'

const tag = 'policies'
const params = z.strictObject({ policyId: idOf('policy') })

export const policyRoutes = {
  listPolicies: defineRoute({
    method: 'GET',
    path: '/api/v1/policies',
    permission: 'policy.read',
    tag,
    list: true,
    summary: { en: 'SLA policies', zh: 'SLA 策略列表' },
    query: listQuery({
      sorts: ['name', 'createdAt', 'priority'],
      filters: { name: nameText, enabled: flag },
    }),
    response: { 200: pageOf(policy) },
  }),
  createPolicy: defineRoute({
    method: 'POST',
    path: '/api/v1/policies',
    permission: 'policy.write',
    tag,
    summary: { en: 'Make a promise', zh: '创建策略' },
    body: policyCreate,
    response: { 201: policy },
  }),
  getPolicy: defineRoute({
    method: 'GET',
    path: '/api/v1/policies/{policyId}',
    permission: 'policy.read',
    tag,
    summary: { en: 'One policy', zh: '策略详情' },
    params,
    response: { 200: policy },
  }),
  changePolicy: defineRoute({
    method: 'PATCH',
    path: '/api/v1/policies/{policyId}',
    permission: 'policy.write',
    tag,
    precondition: true,
    summary: { en: 'Change a policy', zh: '修改策略' },
    params,
    body: policyChange,
    response: { 200: policy },
  }),
  deletePolicy: defineRoute({
    method: 'POST',
    path: '/api/v1/policies/{policyId}/delete',
    permission: 'policy.write',
    tag,
    dangerous: true,
    dryRun: true,
    summary: { en: 'Withdraw a promise', zh: '删除策略' },
    params,
    body: danger,
    response: { 200: plan, 204: null },
  }),
  previewPolicy: defineRoute({
    method: 'POST',
    path: '/api/v1/policies/preview',
    permission: 'policy.read',
    tag,
    rate: 'expensive',
    summary: { en: 'What a policy would do', zh: '预览策略效果' },
    body: policyPreviewRequest,
    response: { 200: policyPreview },
  }),
  simulatePolicy: defineRoute({
    method: 'POST',
    path: '/api/v1/policies/simulate',
    permission: 'policy.read',
    tag,
    rate: 'expensive',
    summary: { en: 'A year of a policy in seconds', zh: '模拟策略运行' },
    body: policySimulateRequest,
    response: { 200: policySimulated },
  }),
  listNextRuns: defineRoute({
    method: 'GET',
    path: '/api/v1/policies/{policyId}/next-runs',
    permission: 'policy.read',
    tag,
    summary: { en: 'When it runs next', zh: '接下来的运行时间' },
    params,
    query: z.strictObject({
      limit: z.coerce.number<number | string>().int().min(1).max(100).default(5),
    }),
    response: { 200: nextRuns },
  }),
  getPolicyCalendar: defineRoute({
    method: 'GET',
    path: '/api/v1/policies/{policyId}/calendar',
    permission: 'policy.read',
    tag,
    summary: { en: 'Upcoming runs as iCalendar', zh: '以 iCalendar 导出运行计划' },
    params,
    response: { 200: { raw: ['text/calendar'] } },
  }),
  getCompliance: defineRoute({
    method: 'GET',
    path: '/api/v1/compliance',
    permission: 'source.read',
    tag,
    summary: { en: 'Which promises are kept', zh: '合规报告' },
    query: listQuery({
      sorts: ['sourceId'],
      filters: { state: complianceState, sourceId: idsOf('source') },
    }),
    response: { 200: complianceReport },
  }),
} as const
