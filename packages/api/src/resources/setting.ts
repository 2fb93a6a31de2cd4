/** Settings of the whole installation that are kept in the catalog. */
import { z } from 'zod'
import { lineText, nameText, version } from './common.ts'
import { role } from './user.ts'

const oidcProvider = z.strictObject({
  name: nameText,
  issuer: z.url().max(2048),
  clientId: lineText,
  scopes: z.array(lineText).max(32).default(['openid', 'profile', 'email']),
  /** Claim that lists groups, and group → roles. */
  groupsClaim: lineText.default('groups'),
  groupRoles: z.record(z.string().max(256), z.array(role)).default({}),
})

export const settings = z
  .object({
    /** Dangerous verbs need another person's consent. */
    fourEyes: z.boolean(),
    sessionIdleMinutes: z.number().int().min(5).max(1440),
    oidc: z.array(oidcProvider).max(8),
    auditSyslog: z
      .strictObject({
        address: lineText,
        transport: z.enum(['tcp', 'tls', 'udp']),
      })
      .nullable(),
    /** Base address that links in messages begin with. */
    publicUrl: z.string().nullable(),
    version,
  })
  .meta({ id: 'Settings' })
export type Settings = z.infer<typeof settings>

export const settingsChange = z.strictObject({
  fourEyes: z.boolean().optional(),
  sessionIdleMinutes: z.number().int().min(5).max(1440).optional(),
  oidc: z
    .array(oidcProvider.extend({ clientSecret: z.string().max(1024).optional() }))
    .max(8)
    .optional(),
  auditSyslog: z
    .strictObject({
      address: lineText,
      transport: z.enum(['tcp', 'tls', 'udp']).default('tcp'),
    })
    .nullable()
    .optional(),
  publicUrl: z
    .url({ protocol: /^https?$/ })
    .max(2048)
    .nullable()
    .optional(),
})
