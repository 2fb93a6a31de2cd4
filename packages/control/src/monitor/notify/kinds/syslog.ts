/** Syslog: one message for each alert, RFC 5424. */
import { z } from 'zod'
import { MaasError } from '@openmaas/kernel/errors'
import { parseTarget, SyslogSender } from '../../../audit/syslog-sender.ts'
import { FACILITY, formatSyslog, SEVERITY } from '../../../audit/syslog.ts'
import type { ChannelKind } from '../channel-kind.ts'

const config = z.strictObject({
  /** host:port */
  address: z.string().min(1).max(300),
  transport: z.enum(['udp', 'tcp', 'tls']).default('udp'),
  /** PEM of the authority, for TLS. */
  ca: z.string().max(4096).optional(),
})

export const syslogKind: ChannelKind<z.infer<typeof config>> = {
  config: config.refine(
    (one) => {
      try {
        return parseTarget(one).port > 0
      } catch (error) {
        if (error instanceof MaasError) return false
        throw error
      }
    },
    { path: ['address'], message: 'host:port is expected' },
  ),
  secrets: [],
  send: async ({ address, transport, ca }, message, _context) => {
    const { id, at, state, severity, title, lines, alerts } = message
    const shared = { facility: FACILITY.user, id: 'alert' }
    const single = {
      ...shared,
      severity: SEVERITY[severity],
      atMs: at,
      fields: { id, state },
      text: [title, ...lines].join(' | '),
    }
    const each = alerts.map((alert) => {
      const { rule, subject, openedAt } = alert
      const fields = { id: alert.id, rule, subject, state: alert.state, severity: alert.severity }
      const level = alert.state === 'resolved' ? SEVERITY.notice : SEVERITY[alert.severity]
      const text = `${alert.title}: ${alert.cause}`
      const atMs = alert.state === 'resolved' ? (alert.resolvedAt ?? at) : openedAt
      return { ...shared, severity: level, atMs, fields, text }
    })
    const messages = (each.length === 0 ? [single] : each).map((one) => formatSyslog(one))
    await using sender = new SyslogSender({
      address,
      transport,
      ...(ca === undefined ? {} : { ca }),
    })
    try {
      await sender.send(messages)
    } catch (cause) {
      const reason = cause instanceof MaasError ? String(cause.details['reason']) : String(cause)
      throw new MaasError(
        'NOTIFY_FAILED',
        'the syslog server cannot be reached',
        { reason },
        { cause },
      )
    }
  },
}
