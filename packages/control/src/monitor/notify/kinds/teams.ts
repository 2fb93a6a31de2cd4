/** Microsoft Teams, by a webhook of Workflows: an Adaptive Card. */
import { z } from 'zod'
import { httpUrl, postJson } from '../channel-kind.ts'
import type { ChannelKind } from '../channel-kind.ts'
import { cutBytes, linkText } from '../message.ts'

const config = z.strictObject({ url: httpUrl })

/** Teams takes 28 KB of a message. */
const TEXT_SIZE_MAX = 20_000
const COLOUR = { info: 'Accent', warning: 'Warning', critical: 'Attention' } as const

/** Cards render a little Markdown: a link in a path would be one. */
function escape(text: string): string {
  return text.replace(/[\\`*_[\]()#~]/g, '\\$&')
}

export const teamsKind: ChannelKind<z.infer<typeof config>> = {
  config,
  secrets: ['url'],
  send: async ({ url }, message, context) => {
    const { state, severity, title, lines, link, language } = message
    const colour = state === 'resolved' ? 'Good' : COLOUR[severity]
    const text = cutBytes(lines.map((line) => escape(line)).join('\n\n'), TEXT_SIZE_MAX)
    const head = { type: 'TextBlock', size: 'Medium', weight: 'Bolder', wrap: true }
    const actions =
      link === null ? [] : [{ type: 'Action.OpenUrl', title: linkText(language), url: link }]
    const content = {
      $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
      type: 'AdaptiveCard',
      version: '1.4',
      body: [
        { ...head, color: colour, text: escape(title) },
        { type: 'TextBlock', wrap: true, text },
      ],
      actions,
    }
    const contentType = 'application/vnd.microsoft.card.adaptive'
    const card = { type: 'message', attachments: [{ contentType, contentUrl: null, content }] }
    await postJson(url, card, context)
  },
}
