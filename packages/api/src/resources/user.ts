/** People, their sessions, and what they log in with. */
import { z } from 'zod'
import { PERMISSIONS, ROLES } from '../permissions.ts'
import {
  idOf,
  labelSelector,
  lineText,
  nameText,
  timeOrNull,
  timeShown,
  version,
} from './common.ts'

export const role = z.enum(ROLES)
export const permission = z.enum(PERMISSIONS)

/** NIST SP 800-63B: long ones are welcome; the upper bound only limits the hashing. */
const PASSWORD_LENGTH_MIN = 12
const PASSWORD_LENGTH_MAX = 256
export const newPassword = z.string().min(PASSWORD_LENGTH_MIN).max(PASSWORD_LENGTH_MAX)
const anyPassword = z.string().max(PASSWORD_LENGTH_MAX)
/** Anything longer is no name of ours, and is not looked up. */
const LOGIN_NAME_LENGTH_MAX = 254
const userName = nameText.regex(/^[A-Za-z0-9](?:[A-Za-z0-9._@-]*[A-Za-z0-9])?$/)
const roles = z.array(role).min(1).max(ROLES.length)

export const user = z
  .object({
    id: idOf('user'),
    name: z.string(),
    displayName: z.string(),
    email: z.string().nullable(),
    roles: z.array(role),
    scope: labelSelector.nullable(),
    state: z.enum(['active', 'disabled']),
    mustChangePassword: z.boolean(),
    secondFactor: z.boolean(),
    /** Comes by OpenID Connect. */
    external: z.boolean(),
    lockedUntil: timeOrNull,
    createdAt: timeShown,
    lastLoginAt: timeOrNull,
    version,
  })
  .meta({ id: 'User' })
export type User = z.infer<typeof user>

export const userCreate = z.strictObject({
  name: userName,
  displayName: nameText.optional(),
  email: z.email().max(254).nullable().optional(),
  roles,
  scope: labelSelector.nullable().default(null),
  /** Without it one is made up, shown once, and must be changed at the first login. */
  password: newPassword.optional(),
})
export const userCreated = z.object({ user, password: z.string().optional() })

export const userChange = z.strictObject({
  displayName: nameText.optional(),
  email: z.email().max(254).nullable().optional(),
  roles: roles.optional(),
  scope: labelSelector.nullable().optional(),
  state: z.enum(['active', 'disabled']).optional(),
})

export const login = z.strictObject({
  name: lineText.min(1).max(LOGIN_NAME_LENGTH_MAX),
  password: anyPassword,
  /** The six digits, or a recovery code, where a second factor is set up. */
  code: lineText.max(64).optional(),
})

/** Who is logged in. `csrfToken` goes into the header X-CSRF-Token of every change. */
export const me = z
  .object({
    actor: z.string(),
    user: user.nullable(),
    roles: z.array(role),
    permissions: z.array(permission),
    scope: labelSelector.nullable(),
    csrfToken: z.string().nullable(),
    mustChangePassword: z.boolean(),
    expiresAt: timeOrNull,
  })
  .meta({ id: 'Me' })

export const loginMethods = z.object({
  password: z.boolean(),
  oidc: z.array(z.object({ name: z.string(), startUrl: z.string() })),
})

export const meChange = z.strictObject({
  displayName: nameText.optional(),
  email: z.email().max(254).nullable().optional(),
})
export const passwordChange = z.strictObject({ current: anyPassword, next: newPassword })
export const secondFactorBegun = z.object({ secret: z.string(), uri: z.string() })
export const secondFactorCode = z.strictObject({ code: lineText.min(6).max(64) })
export const secondFactorConfirmed = z.object({ recoveryCodes: z.array(z.string()) })
export const secondFactorRemoval = z.strictObject({ password: anyPassword })

export const session = z
  .object({
    id: z.string(),
    address: z.string(),
    current: z.boolean(),
    createdAt: timeShown,
    lastSeenAt: timeShown,
    expiresAt: timeShown,
  })
  .meta({ id: 'Session' })
