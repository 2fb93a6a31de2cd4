/** 飞书 (Lark) group robot: an interactive card, signed in the body when the robot has a secret. */
import { createHmac } from 'node:crypto'
import { z } from 'zod'
import { MaasError } from '@openmaas/kernel/errors'
import { answerCode, httpUrl, postJson } from '../channel-kind.ts'
import type { ChannelKind } from '../channel-kind.ts'
import { cutBytes, linkText } from '../message.ts'

const config = z.strictObject({
  /** https://open.feishu.cn/open-apis/bot/v2/hook/… */
  url: httpUrl,
  secret: z.string().min(1).max(256).optional(),
})

/** A request may have 20 KB. */
const TEXT_SIZE_MAX = 14_000
/** Too many requests; and the answer was no answer. */
const PASSING = new Set([11_232, -1])
const COLOUR = { info: 'blue', warning: 'orange', critical: 'red' } as const

/** `timestamp` in seconds; HMAC-SHA256 of nothing, under "timestamp\nsecret". */
export function signFeishu(secret: string, nowMs: number): { timestamp: string; sign: string } {
  const timestamp = String(Math.floor(nowMs / 1000))
  const sign = createHmac('sha256', `${timestamp}\n${secret}`).update('').digest('base64')
  return { timestamp, sign }
}

export const feishuKind: ChannelKind<z.infer<typeof config>> = {
  config,
  secrets: ['url', 'secret'],
  send: async ({ url, secret }, message, context) => {
    const { state, severity, title, lines, link, language } = message
    const template = state === 'resolved' ? 'green' : COLOUR[severity]
    // Plain text: nothing in it is markup.
    const content = cutBytes(lines.join('\n'), TEXT_SIZE_MAX)
    const elements: unknown[] = [{ tag: 'div', text: { tag: 'plain_text', content } }]
    if (link !== null) {
      const text = { tag: 'plain_text', content: linkText(language) }
      elements.push({
        tag: 'action',
        actions: [{ tag: 'button', text, type: 'primary', url: link }],
      })
    }
    const card = {
      config: { wide_screen_mode: true },
      header: { template, title: { tag: 'plain_text', content: title } },
      elements,
    }
    const signed = secret === undefined ? {} : signFeishu(secret, context.nowMs)
    const answer = await postJson(url, { ...signed, msg_type: 'interactive', card }, context)
    const { code, reason } = answerCode(answer.text, 'code', 'StatusCode')
    if (code === 0) return
    const failed = PASSING.has(code) ? 'NOTIFY_FAILED' : 'NOTIFY_REFUSED'
    throw new MaasError(failed, 'the robot did not take the message', { code, reason })
  },
}
