/**
 * Who may do what. Deny by default: a role has what stands here and nothing else, and a scope (a
 * label selector) narrows every permission about labelled objects to those that it matches. A
 * permission about the whole installation is not had by anybody who has a scope.
 *
 * The matrix with its reasons: docs/internals/auth.md.
 */
export const ROLES = [
  'admin',
  'operator',
  'restore-operator',
  'data-consumer',
  'auditor',
  'security-officer',
] as const
export type Role = (typeof ROLES)[number]

/** `labels`: about an object with labels. `site`: about the whole installation. */
const PERMISSION_KINDS = {
  'source.read': 'labels',
  'source.write': 'labels',
  'source.protect': 'labels',
  'point.read': 'labels',
  /** Names of files in a point; search. */
  'point.browse': 'labels',
  /** Bytes of a point, to a host or to the caller. */
  'point.restore': 'labels',
  'point.delete': 'labels',
  'point.lock': 'labels',
  'medium.read': 'labels',
  'medium.plug': 'labels',
  'medium.eject': 'labels',
  'virtual-database.read': 'labels',
  'virtual-database.create': 'labels',
  /** Refresh, reset, bookmarks, stop and start, a longer life. */
  'virtual-database.operate': 'labels',
  /** Its password. */
  'virtual-database.connect': 'labels',
  'virtual-database.drop': 'labels',
  /** To a local directory of its host. */
  'virtual-database.promote': 'labels',
  /** In production's place: its accounts and settings, nothing confined. */
  'virtual-database.recover': 'labels',
  'job.read': 'labels',
  'job.cancel': 'labels',
  'host.read': 'labels',
  'host.enrol': 'site',
  'host.write': 'labels',
  'host.remove': 'site',
  'pool.read': 'labels',
  'pool.write': 'site',
  'policy.read': 'labels',
  'policy.write': 'site',
  'alert.read': 'labels',
  'alert.acknowledge': 'labels',
  'event.read': 'labels',
  'audit.read': 'labels',
  'audit.verify': 'site',
  'audit.export': 'site',
  'user.read': 'site',
  'user.write': 'site',
  'user.lock': 'site',
  /** Own tokens; other people's are `token.write`. */
  'token.self': 'labels',
  'token.write': 'site',
  'approval.read': 'labels',
  'approval.decide': 'site',
  'webhook.read': 'site',
  'webhook.write': 'site',
  'notification.read': 'site',
  'notification.write': 'site',
  'setting.read': 'site',
  'setting.write': 'site',
  /** Secrets of protected systems can be set and removed, never read. */
  'secret.write': 'site',
  'metrics.read': 'site',
  /** What the server tells about itself for a fault report. */
  'support.read': 'site',
} as const satisfies Record<string, 'labels' | 'site'>

export type Permission = keyof typeof PERMISSION_KINDS
export const PERMISSIONS = Object.keys(PERMISSION_KINDS) as Permission[]

const READ_RECORDS: readonly Permission[] = [
  'source.read',
  'point.read',
  'medium.read',
  'virtual-database.read',
  'job.read',
  'host.read',
  'pool.read',
  'policy.read',
  'alert.read',
  'event.read',
  'approval.read',
  'token.self',
]

/** Everything about virtual databases. */
const VIRTUAL_DATABASES: readonly Permission[] = [
  'virtual-database.create',
  'virtual-database.operate',
  'virtual-database.connect',
  'virtual-database.drop',
]

const OPERATE: readonly Permission[] = [
  ...READ_RECORDS,
  ...VIRTUAL_DATABASES,
  'virtual-database.promote',
  'source.write',
  'source.protect',
  'point.browse',
  'point.restore',
  'point.delete',
  'point.lock',
  'medium.plug',
  'medium.eject',
  'job.cancel',
  'host.enrol',
  'host.write',
  'host.remove',
  'pool.write',
  'policy.write',
  'alert.acknowledge',
  'audit.read',
  'webhook.read',
  'webhook.write',
  'notification.read',
  'notification.write',
  'setting.read',
  'secret.write',
  'metrics.read',
  'support.read',
]

export const ROLE_PERMISSIONS: Readonly<Record<Role, readonly Permission[]>> = {
  // Everything but deciding about approvals: who may act may not also consent (four eyes).
  admin: PERMISSIONS.filter((permission) => permission !== 'approval.decide'),
  operator: OPERATE,
  'restore-operator': [
    ...READ_RECORDS,
    ...VIRTUAL_DATABASES,
    'point.browse',
    'point.restore',
    'medium.plug',
    'medium.eject',
    'job.cancel',
    'alert.acknowledge',
  ],
  'data-consumer': [
    'point.read',
    'source.read',
    'host.read',
    'job.read',
    'medium.read',
    'medium.plug',
    'medium.eject',
    'virtual-database.read',
    'virtual-database.create',
    'virtual-database.operate',
    'virtual-database.connect',
    'virtual-database.drop',
    'approval.read',
    'event.read',
    'token.self',
  ],
  // Every record, never the protected data: no names of files, no bytes.
  auditor: [
    ...READ_RECORDS,
    'audit.read',
    'audit.verify',
    'audit.export',
    'user.read',
    'webhook.read',
    'notification.read',
    'setting.read',
    'metrics.read',
    'support.read',
  ],
  'security-officer': [
    'approval.read',
    'approval.decide',
    'audit.read',
    'audit.verify',
    'audit.export',
    'user.read',
    'user.lock',
    'alert.read',
    'event.read',
    'setting.read',
    'token.self',
  ],
}

/** What a role may only do to what its holder made. */
const OWN_ONLY: Readonly<Partial<Record<Role, readonly Permission[]>>> = {
  'data-consumer': [
    'medium.eject',
    'job.read',
    'approval.read',
    'virtual-database.read',
    'virtual-database.operate',
    'virtual-database.connect',
    'virtual-database.drop',
  ],
}

/** Roles that plug clones only, with a quota and a lifetime. */
const LIMITED_PLUG: ReadonlySet<Role> = new Set<Role>(['data-consumer'])

export type Labels = Readonly<Record<string, string>>
/** All keys must match; of a list, one value. An empty list matches nothing. */
export type LabelSelector = Readonly<Record<string, string | readonly string[]>>

/** Who asks. Made by control's `authenticate`; `system` for the server's own work. */
export interface Principal {
  /** `user:usr_…`, `token:tok_…`, `host:hst_…` or `system`. */
  readonly actor: string
  readonly userId?: string
  readonly roles: readonly Role[]
  /** Null: everything. */
  readonly scope: LabelSelector | null
  readonly tokenId?: string
  readonly sessionHash?: string
  /** Until it has changed its password it has no roles, and may do nothing but that. */
  readonly mustChangePassword?: true
}

/** The server itself: schedules, reconciliation. */
export const SYSTEM: Principal = { actor: 'system', roles: ['admin'], scope: null }

export function matchesLabels(selector: LabelSelector | null, labels: Labels): boolean {
  if (selector === null) return true
  return Object.entries(selector).every(([key, wanted]) => {
    const value = Object.hasOwn(labels, key) ? labels[key] : undefined
    return value !== undefined && (typeof wanted === 'string' ? [wanted] : wanted).includes(value)
  })
}

/** The selector that matches exactly what both match. */
export function intersectSelectors(
  first: LabelSelector | null,
  second: LabelSelector | null,
): LabelSelector | null {
  if (first === null) return second
  if (second === null) return first
  const both: Record<string, string | readonly string[]> = { ...first }
  for (const [key, wanted] of Object.entries(second)) {
    const values = typeof wanted === 'string' ? [wanted] : wanted
    const present = Object.hasOwn(both, key) ? both[key] : undefined
    const others = typeof present === 'string' ? [present] : present
    both[key] = others === undefined ? wanted : others.filter((value) => values.includes(value))
  }
  return both
}

/** The scope that lists are filtered by (control's `labelsWhere` makes SQL of it). */
export function scopeFilter(principal: Principal): LabelSelector | null {
  return principal.scope
}

/**
 * Without labels: may it use the route at all? With labels: may it do that to this object?
 *
 * @param createdBy who made the object, as `ownerOf` spelt it; what a role may only do to its own
 *   is refused where this is not given
 */
export function may(
  principal: Principal,
  permission: Permission,
  labels?: Labels,
  createdBy?: string,
): boolean {
  if (PERMISSION_KINDS[permission] === 'site' && principal.scope !== null) return false
  if (labels !== undefined && !matchesLabels(principal.scope, labels)) return false
  return principal.roles.some((role) => {
    if (!ROLE_PERMISSIONS[role].includes(permission)) return false
    const ownOnly = OWN_ONLY[role]?.includes(permission) ?? false
    return !ownOnly || labels === undefined || createdBy === ownerOf(principal)
  })
}

/** The roles that may nothing which these may not: what a token of such a person can have. */
export function rolesWithin(roles: readonly Role[]): Role[] {
  const held = new Set(roles.flatMap((role) => ROLE_PERMISSIONS[role]))
  return ROLES.filter(
    (role) =>
      roles.includes(role) || ROLE_PERMISSIONS[role].every((permission) => held.has(permission)),
  )
}

/** Whom an object belongs to that the principal makes: the person, also behind a token. */
export function ownerOf(principal: Principal): string {
  return principal.userId === undefined ? principal.actor : `user:${principal.userId}`
}

/** True for one who may only plug writable clones with a quota and a lifetime. */
export function hasLimitedPlug(principal: Pick<Principal, 'roles'>): boolean {
  const plugging = principal.roles.filter((role) => ROLE_PERMISSIONS[role].includes('medium.plug'))
  return plugging.length > 0 && plugging.every((role) => LIMITED_PLUG.has(role))
}

/** True when the list shows the principal only what it made itself. */
export function seesOwnOnly(principal: Principal, permission: Permission): boolean {
  const having = principal.roles.filter((role) => ROLE_PERMISSIONS[role].includes(permission))
  return having.length > 0 && having.every((role) => OWN_ONLY[role]?.includes(permission) ?? false)
}
