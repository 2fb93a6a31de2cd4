/** Webhooks and their deliveries. */
import { z } from 'zod'
import { idOf, nameText, pageOf } from '../resources/common.ts'
import { testResult } from '../resources/notification.ts'
import {
  delivery,
  webhook,
  webhookChange,
  webhookCreate,
  webhookCreated,
} from '../resources/webhook.ts'
import { defineRoute, flag, listQuery } from './define-route.ts'

const tag = 'webhooks'
const params = z.strictObject({ webhookId: idOf('webhook') })

export const webhookRoutes = {
  listWebhooks: defineRoute({
    method: 'GET',
    path: '/api/v1/webhooks',
    permission: 'webhook.read',
    tag,
    list: true,
    summary: { en: 'Webhooks', zh: 'Webhook 列表' },
    query: listQuery({
      sorts: ['name', 'createdAt'],
      filters: { name: nameText, enabled: flag },
    }),
    response: { 200: pageOf(webhook) },
  }),
  createWebhook: defineRoute({
    method: 'POST',
    path: '/api/v1/webhooks',
    permission: 'webhook.write',
    tag,
    secret: true,
    summary: { en: 'Add a webhook; its secret is shown once', zh: '添加 Webhook(密钥仅显示一次)' },
    body: webhookCreate,
    response: { 201: webhookCreated },
  }),
  getWebhook: defineRoute({
    method: 'GET',
    path: '/api/v1/webhooks/{webhookId}',
    permission: 'webhook.read',
    tag,
    summary: { en: 'One webhook', zh: 'Webhook 详情' },
    params,
    response: { 200: webhook },
  }),
  changeWebhook: defineRoute({
    method: 'PATCH',
    path: '/api/v1/webhooks/{webhookId}',
    permission: 'webhook.write',
    tag,
    precondition: true,
    summary: { en: 'Change a webhook', zh: '修改 Webhook' },
    params,
    body: webhookChange,
    response: { 200: webhook },
  }),
  deleteWebhook: defineRoute({
    method: 'DELETE',
    path: '/api/v1/webhooks/{webhookId}',
    permission: 'webhook.write',
    tag,
    summary: { en: 'Remove a webhook', zh: '删除 Webhook' },
    params,
    response: { 204: null },
  }),
  testWebhook: defineRoute({
    method: 'POST',
    path: '/api/v1/webhooks/{webhookId}/test',
    permission: 'webhook.write',
    tag,
    rate: 'expensive',
    summary: { en: 'Send a test event', zh: '发送测试事件' },
    params,
    response: { 200: testResult },
  }),
  listDeliveries: defineRoute({
    method: 'GET',
    path: '/api/v1/webhooks/{webhookId}/deliveries',
    permission: 'webhook.read',
    tag,
    list: true,
    summary: { en: 'What was delivered, and what was not', zh: '投递记录' },
    params,
    query: listQuery({
      sorts: ['createdAt'],
      defaultSort: '-createdAt',
      filters: { state: z.enum(['waiting', 'delivered', 'failed']) },
    }),
    response: { 200: pageOf(delivery) },
  }),
  redeliver: defineRoute({
    method: 'POST',
    path: '/api/v1/webhooks/{webhookId}/deliveries/{deliveryId}/redeliver',
    permission: 'webhook.write',
    tag,
    summary: { en: 'Deliver it once more', zh: '重新投递' },
    params: z.strictObject({ webhookId: idOf('webhook'), deliveryId: idOf('delivery') }),
    response: { 202: delivery },
  }),
} as const
