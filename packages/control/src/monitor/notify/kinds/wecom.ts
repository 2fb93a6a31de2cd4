/** 企业微信 group robot: Markdown; the answer's `errcode` says whether it was taken. */
import { z } from 'zod'
import { MaasError } from '@openmaas/kernel/errors'
import { answerCode, httpUrl, postJson } from '../channel-kind.ts'
import type { ChannelKind } from '../channel-kind.ts'
import { cutBytes, linkText } from '../message.ts'

const config = z.strictObject({
  /** https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=… */
  url: httpUrl,
})

/** Bytes of UTF-8 that a robot's Markdown may have. */
const CONTENT_SIZE_MAX = 4096
/** 20 messages a minute; and the server is busy. */
const PASSING = new Set([45_009, -1])
const COLOUR = { info: 'comment', warning: 'warning', critical: 'warning' } as const

/** Its Markdown has no escapes: what would be markup becomes what looks like it. */
export function plainMarkdown(text: string): string {
  return text
    .replaceAll('<', '＜')
    .replaceAll('>', '＞')
    .replaceAll('](', '］（')
    .replaceAll('`', "'")
    .replaceAll('**', '＊＊')
}

export const wecomKind: ChannelKind<z.infer<typeof config>> = {
  config,
  secrets: ['url'],
  send: async ({ url }, message, context) => {
    const { state, severity, title, lines, link, language } = message
    const colour = state === 'resolved' ? 'info' : COLOUR[severity]
    const rows = lines.map((line) => `> ${plainMarkdown(line)}`)
    const head = `**<font color="${colour}">${plainMarkdown(title)}</font>**`
    const foot = link === null ? '' : `\n[${linkText(language)}](${link})`
    const room = CONTENT_SIZE_MAX - Buffer.byteLength(foot)
    const content = cutBytes([head, ...rows].join('\n'), room) + foot
    const answer = await postJson(url, { msgtype: 'markdown', markdown: { content } }, context)
    const { code, reason } = answerCode(answer.text, 'errcode')
    if (code === 0) return
    const failed = PASSING.has(code) ? 'NOTIFY_FAILED' : 'NOTIFY_REFUSED'
    throw new MaasError(failed, 'the robot did not take the message', { errcode: code, reason })
  },
}
