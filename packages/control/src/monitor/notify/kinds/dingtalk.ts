/** 钉钉 group robot: Markdown, signed in the address when the robot has a secret (加签). */
import { createHmac } from 'node:crypto'
import { z } from 'zod'
import { MaasError } from '@openmaas/kernel/errors'
import { answerCode, httpUrl, postJson } from '../channel-kind.ts'
import type { ChannelKind } from '../channel-kind.ts'
import { cutBytes, linkText } from '../message.ts'

const config = z.strictObject({
  /** https://oapi.dingtalk.com/robot/send?access_token=… */
  url: httpUrl,
  /** `SEC…` */
  secret: z.string().min(1).max(256).optional(),
  /** Telephone numbers of people who are called by @. */
  atMobiles: z
    .array(z.string().regex(/^\+?[\d-]{5,20}$/))
    .max(20)
    .optional(),
})

/** Bytes of a message. */
const TEXT_SIZE_MAX = 16_000
/** System busy; 20 messages a minute. */
const PASSING = new Set([-1, 130_101, 130_102])

/** `timestamp` in milliseconds, and HMAC-SHA256 of "timestamp\nsecret" under the secret. */
export function signDingtalk(secret: string, nowMs: number): { timestamp: string; sign: string } {
  const timestamp = String(nowMs)
  const sign = createHmac('sha256', secret).update(`${timestamp}\n${secret}`).digest('base64')
  return { timestamp, sign }
}

function escape(text: string): string {
  return text.replace(/[\\`*_[\]#>~]/g, '\\$&').replaceAll('<', '&lt;')
}

export const dingtalkKind: ChannelKind<z.infer<typeof config>> = {
  config,
  secrets: ['url', 'secret'],
  send: async ({ url, secret, atMobiles = [] }, message, context) => {
    const { title, lines, link, language } = message
    const calls = atMobiles.map((mobile) => `@${mobile}`).join(' ')
    const rows = [`#### ${escape(title)}`, ...lines.map((line) => escape(line))]
    if (link !== null) rows.push(`[${linkText(language)}](${link})`)
    if (calls !== '') rows.push(calls)
    const text = cutBytes(rows.join('\n\n'), TEXT_SIZE_MAX)
    const target = new URL(url)
    if (secret !== undefined) {
      const { timestamp, sign } = signDingtalk(secret, context.nowMs)
      target.searchParams.set('timestamp', timestamp)
      target.searchParams.set('sign', sign)
    }
    const body = {
      msgtype: 'markdown',
      markdown: { title, text },
      at: { atMobiles, isAtAll: false },
    }
    const answer = await postJson(target.href, body, context)
    const { code, reason } = answerCode(answer.text, 'errcode')
    if (code === 0) return
    const failed = PASSING.has(code) ? 'NOTIFY_FAILED' : 'NOTIFY_REFUSED'
    throw new MaasError(failed, 'the robot did not take the message', { errcode: code, reason })
  },
}
