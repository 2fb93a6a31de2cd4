/** The kinds of channels, by the names of packages/api. */
import type { CHANNEL_KINDS } from '@openmaas/api/resources/notification'
import { MaasError } from '@openmaas/kernel/errors'
import type { ChannelKind } from './channel-kind.ts'
import { dingtalkKind } from './kinds/dingtalk.ts'
import { emailKind } from './kinds/email.ts'
import { feishuKind } from './kinds/feishu.ts'
import { slackKind } from './kinds/slack.ts'
import { syslogKind } from './kinds/syslog.ts'
import { teamsKind } from './kinds/teams.ts'
import { webhookKind } from './kinds/webhook.ts'
import { wecomKind } from './kinds/wecom.ts'

export type ChannelKindName = (typeof CHANNEL_KINDS)[number]

const KINDS = {
  webhook: webhookKind,
  email: emailKind,
  slack: slackKind,
  teams: teamsKind,
  wecom: wecomKind,
  dingtalk: dingtalkKind,
  feishu: feishuKind,
  syslog: syslogKind,
} as const

/** A kind whose config was checked by its own schema, and is given back to it. */
export function kindOf(name: ChannelKindName): ChannelKind<unknown> {
  return KINDS[name] as ChannelKind<unknown>
}

/** @throws MaasError REQUEST_INVALID at the first member that does not fit */
export function checkConfig(name: ChannelKindName, config: unknown): Record<string, unknown> {
  const parsed = kindOf(name).config.safeParse(config)
  if (parsed.success) return parsed.data as Record<string, unknown>
  const [issue] = parsed.error.issues
  const pointer = ['', 'config', ...(issue?.path ?? [])].map(String).join('/')
  throw new MaasError('REQUEST_INVALID', issue?.message ?? 'the config does not fit', { pointer })
}
