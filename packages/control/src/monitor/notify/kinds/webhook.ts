/** Any receiver: the message as JSON, signed as our webhooks are (Standard Webhooks). */
import { z } from 'zod'
import { sign } from '../../../webhook/signature.ts'
import { httpUrl, postJson } from '../channel-kind.ts'
import type { ChannelKind } from '../channel-kind.ts'

const config = z.strictObject({ url: httpUrl, secret: z.string().min(16).max(256).optional() })

export const webhookKind: ChannelKind<z.infer<typeof config>> = {
  config,
  secrets: ['url', 'secret'],
  send: async ({ url, secret }, message, context) => {
    const { id, at, state, severity, title, lines, link, language, alerts } = message
    const body = JSON.stringify({
      type: `alert.${state}`,
      timestamp: new Date(at).toISOString(),
      data: {
        severity,
        title,
        text: lines.join('\n'),
        link,
        language,
        alerts: alerts.map(({ openedAt, resolvedAt, ...alert }) => ({
          ...alert,
          openedAt: new Date(openedAt).toISOString(),
          resolvedAt: resolvedAt === null ? null : new Date(resolvedAt).toISOString(),
        })),
      },
    })
    const timestampSeconds = Math.floor(context.nowMs / 1000)
    const signature = secret && sign(secret, { id, timestampSeconds, body })
    await postJson(url, body, context, {
      'webhook-id': id,
      'webhook-timestamp': String(timestampSeconds),
      ...(signature === undefined ? {} : { 'webhook-signature': signature }),
    })
  },
}
