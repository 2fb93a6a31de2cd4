/** API tokens `msk_…`: shown once, kept hashed, never more than their user. */
import { z } from 'zod'
import { idOf, labelSelector, nameText, time, timeOrNull, timeShown } from './common.ts'
import { role } from './user.ts'

export const token = z
  .object({
    id: idOf('token'),
    name: z.string(),
    userId: idOf('user'),
    roles: z.array(role),
    scope: labelSelector.nullable(),
    createdAt: timeShown,
    expiresAt: timeShown,
    lastUsedAt: timeOrNull,
    revokedAt: timeOrNull,
  })
  .meta({ id: 'Token' })
export type Token = z.infer<typeof token>

export const tokenCreate = z.strictObject({
  name: nameText,
  /** Default: those of the user. */
  roles: z.array(role).min(1).optional(),
  scope: labelSelector.nullable().optional(),
  expiresAt: time,
})
export const tokenCreated = z.object({ token, secret: z.string().startsWith('msk_') })
