/** E-mail by SMTP. Microsoft 365 takes no passwords there any more: use a relay. */
import { createTransport } from 'nodemailer'
import { z } from 'zod'
import { MaasError } from '@openmaas/kernel/errors'
import type { ChannelKind } from '../channel-kind.ts'
import { linkText } from '../message.ts'

const address = z.email().max(254)
const config = z.strictObject({
  host: z.string().min(1).max(255),
  port: z.number().int().min(1).max(65_535).default(587),
  /** `starttls`: not without it; `tls`: from the first byte; `none`: a relay on this machine. */
  security: z.enum(['starttls', 'tls', 'none']).default('starttls'),
  user: z.string().max(254).optional(),
  password: z.string().max(1024).optional(),
  from: address,
  to: z.array(address).min(1).max(50),
})

const TIMEOUT_MS = 20_000

export const emailKind: ChannelKind<z.infer<typeof config>> = {
  config,
  secrets: ['password'],
  send: async ({ host, port, security, user, password, from, to }, message) => {
    const { id, at, title, lines, link, language, severity } = message
    const transport = createTransport({
      host,
      port,
      secure: security === 'tls',
      requireTLS: security === 'starttls',
      ignoreTLS: security === 'none',
      ...(user === undefined ? {} : { auth: { user, pass: password ?? '' } }),
      connectionTimeout: TIMEOUT_MS,
      greetingTimeout: TIMEOUT_MS,
      socketTimeout: TIMEOUT_MS,
      // Texts are texts: nothing in them names a file or an address to read.
      disableFileAccess: true,
      disableUrlAccess: true,
    })
    try {
      await transport.sendMail({
        from: { name: 'OpenMaaS', address: from },
        to: [...to],
        subject: title,
        text: [...lines, ...(link === null ? [] : ['', `${linkText(language)}: ${link}`])].join(
          '\n',
        ),
        // Chinese in quoted-printable is three times as long.
        textEncoding: 'base64',
        date: new Date(at),
        messageId: `<${id}@openmaas.invalid>`,
        priority: severity === 'critical' ? 'high' : 'normal',
        // RFC 3834: no replies of absence to this.
        headers: { 'Auto-Submitted': 'auto-generated' },
      })
    } catch (error) {
      throw failureOf(error)
    } finally {
      transport.close()
    }
  },
}

/** RFC 5321: what begins with 5 stays so; what begins with 4, and all else, may pass. */
function failureOf(error: unknown): MaasError {
  const responseCode =
    error instanceof Error && 'responseCode' in error ? Number(error.responseCode) : 0
  const reason = error instanceof Error ? error.message : String(error)
  const code = responseCode >= 500 ? 'NOTIFY_REFUSED' : 'NOTIFY_FAILED'
  return new MaasError(
    code,
    'the mail server did not take the message',
    { reason },
    { cause: error },
  )
}
