/** Slack, by an incoming webhook: Block Kit, with a plain text for notifications. */
import { z } from 'zod'
import { httpUrl, postJson } from '../channel-kind.ts'
import type { ChannelKind } from '../channel-kind.ts'
import { linkText } from '../message.ts'

const config = z.strictObject({ url: httpUrl })

/** Slack's limits: 150 characters of a header, 3,000 of a section. */
const HEADER_LENGTH_MAX = 150
const SECTION_LENGTH_MAX = 2900
const ICON = { info: ':information_source:', warning: ':warning:', critical: ':rotating_light:' }

/** Three characters are control characters: `<!channel>` in a path must not ring everybody. */
function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

export const slackKind: ChannelKind<z.infer<typeof config>> = {
  config,
  secrets: ['url'],
  send: async ({ url }, message, context) => {
    const { state, severity, title, lines, link, language } = message
    const icon = state === 'resolved' ? ':white_check_mark:' : ICON[severity]
    const links = link === null ? [] : [`<${link}|${linkText(language)}>`]
    const text = [...lines.map((line) => escape(line)), ...links].join('\n')
    const section = text.slice(0, SECTION_LENGTH_MAX)
    await postJson(
      url,
      {
        text: escape(title),
        blocks: [
          {
            type: 'header',
            text: { type: 'plain_text', text: `${icon} ${title}`.slice(0, HEADER_LENGTH_MAX) },
          },
          { type: 'section', text: { type: 'mrkdwn', text: section } },
        ],
      },
      context,
    )
  },
}
