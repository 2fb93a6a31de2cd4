import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  hasLimitedPlug,
  intersectSelectors,
  matchesLabels,
  may,
  ownerOf,
  PERMISSIONS,
  ROLE_PERMISSIONS,
  ROLES,
  rolesWithin,
  seesOwnOnly,
} from './permissions.ts'
import type { Labels, LabelSelector, Permission, Principal, Role } from './permissions.ts'

const key = fc.constantFrom('env', 'team', 'constructor')
const value = fc.constantFrom('prod', 'test', '')
const dictionary = { maxKeys: 3, noNullPrototype: true }
const labels: fc.Arbitrary<Labels> = fc.dictionary(key, value, dictionary)
const values = fc.oneof(value, fc.array(value, { maxLength: 3 }))
const selector: fc.Arbitrary<LabelSelector | null> = fc.option(
  fc.dictionary(key, values, dictionary),
)
const roles = fc.subarray([...ROLES])
const principal: fc.Arbitrary<Principal> = fc.record({
  actor: fc.constant('user:usr_1'),
  userId: fc.constant('usr_1'),
  roles,
  scope: selector,
})
const permission = fc.constantFrom(...PERMISSIONS)

/** The matrix once more, by hand: what each role must not have. */
const NEVER: Record<Role, readonly Permission[]> = {
  admin: ['approval.decide'],
  operator: ['user.read', 'user.write', 'token.write', 'setting.write', 'approval.decide'],
  'restore-operator': [
    'source.write',
    'source.protect',
    'point.delete',
    'policy.write',
    'audit.read',
  ],
  'data-consumer': ['point.browse', 'point.restore', 'point.delete', 'source.write', 'policy.read'],
  auditor: ['point.browse', 'point.restore', 'medium.plug', 'medium.eject', 'alert.acknowledge'],
  'security-officer': ['point.read', 'point.browse', 'medium.plug', 'source.read', 'user.write'],
}

describe('the matrix', () => {
  test.each(ROLES)('the role %s has none of what it must not have', (role) => {
    const has = new Set(ROLE_PERMISSIONS[role])
    expect(NEVER[role].filter((one) => has.has(one))).toEqual([])
  })

  test('nobody without a role may do anything', () => {
    const nobody = { actor: 'nobody', roles: [], scope: null }
    expect(PERMISSIONS.filter((one) => may(nobody, one))).toEqual([])
  })

  test('an auditor changes nothing but its own tokens, a security officer only locks and decides', () => {
    const changes = (role: Role) =>
      ROLE_PERMISSIONS[role].filter((one) => !/\.(?:read|verify|export)$/.test(one))
    expect(changes('auditor')).toEqual(['token.self'])
    expect(changes('security-officer')).toEqual(['approval.decide', 'user.lock', 'token.self'])
  })

  test('who may act may not also consent, unless it is given both roles', () => {
    const deciding = ROLES.filter((role) => ROLE_PERMISSIONS[role].includes('approval.decide'))
    expect(deciding).toEqual(['security-officer'])
  })

  test('a permission that some role has, some role has not', () => {
    for (const one of PERMISSIONS) {
      const having = ROLES.filter((role) => ROLE_PERMISSIONS[role].includes(one))
      expect(having.length).toBeGreaterThan(0)
    }
  })
})

describe('may', () => {
  test('grants only what a role of the principal has', () => {
    fc.assert(
      fc.property(principal, permission, labels, (who, what, object) => {
        const granted = who.roles.some((role) => ROLE_PERMISSIONS[role].includes(what))
        if (may(who, what, object)) expect(granted && matchesLabels(who.scope, object)).toBe(true)
        if (may(who, what)) expect(granted).toBe(true)
      }),
    )
  })

  test('one more role never takes away, one more condition in the scope never gives', () => {
    fc.assert(
      fc.property(
        principal,
        fc.constantFrom(...ROLES),
        permission,
        labels,
        (who, role, what, object) => {
          const more = { ...who, roles: [...who.roles, role] }
          if (may(who, what, object)) expect(may(more, what, object)).toBe(true)
          const narrower = { ...who, scope: { ...who.scope, extra: 'x' } }
          if (may(narrower, what, object)) expect(may(who, what, object)).toBe(true)
        },
      ),
    )
  })

  test('an object in reach means that the route is in reach', () => {
    fc.assert(
      fc.property(principal, permission, labels, (who, what, object) => {
        if (may(who, what, object, 'user:usr_1')) expect(may(who, what)).toBe(true)
      }),
    )
  })

  test('nobody with a scope may do anything to the whole installation', () => {
    const scoped: Principal = { actor: 'user:usr_1', roles: [...ROLES], scope: { env: 'prod' } }
    for (const one of ['user.write', 'setting.write', 'policy.write', 'approval.decide'] as const) {
      expect(may(scoped, one)).toBe(false)
      expect(may(scoped, one, { env: 'prod' })).toBe(false)
    }
  })

  test('a data consumer ejects what it plugged, by itself or by its token, and nothing else', () => {
    const consumer: Principal = {
      actor: 'token:tok_1',
      userId: 'usr_1',
      tokenId: 'tok_1',
      roles: ['data-consumer'],
      scope: { env: 'test' },
    }
    expect(ownerOf(consumer)).toBe('user:usr_1')
    expect(may(consumer, 'medium.eject')).toBe(true)
    expect(may(consumer, 'medium.eject', { env: 'test' }, 'user:usr_1')).toBe(true)
    expect(may(consumer, 'medium.eject', { env: 'test' }, 'user:usr_2')).toBe(false)
    expect(may(consumer, 'medium.eject', { env: 'prod' }, 'user:usr_1')).toBe(false)
    // Forgotten by whoever asks: refused.
    expect(may(consumer, 'medium.eject', { env: 'test' })).toBe(false)
    expect(hasLimitedPlug(consumer)).toBe(true)
    expect(hasLimitedPlug({ ...consumer, roles: ['data-consumer', 'operator'] })).toBe(false)
    expect(hasLimitedPlug({ ...consumer, roles: ['auditor'] })).toBe(false)
    expect(seesOwnOnly(consumer, 'job.read')).toBe(true)
    expect(seesOwnOnly({ ...consumer, roles: ['data-consumer', 'auditor'] }, 'job.read')).toBe(
      false,
    )
  })
})

describe('selectors', () => {
  test('match what the slow way matches', () => {
    fc.assert(
      fc.property(selector, labels, (one, object) => {
        const slow = Object.entries(one ?? {}).every(([name, wanted]) =>
          [wanted]
            .flat()
            .some((each) => Object.entries(object).some(([k, v]) => k === name && v === each)),
        )
        expect(matchesLabels(one, object)).toBe(slow)
      }),
    )
  })

  test('intersect to what both match', () => {
    fc.assert(
      fc.property(selector, selector, labels, (a, b, object) => {
        const both = matchesLabels(a, object) && matchesLabels(b, object)
        expect(matchesLabels(intersectSelectors(a, b), object)).toBe(both)
      }),
    )
  })
})

test('a role lies within others when it may nothing that they may not', () => {
  expect(rolesWithin([])).toEqual([])
  expect(rolesWithin(['data-consumer'])).toEqual(['data-consumer'])
  expect(rolesWithin(['admin'])).toContain('data-consumer')
  for (const role of ROLES) {
    for (const within of rolesWithin([role])) {
      const more = ROLE_PERMISSIONS[within].filter((one) => !ROLE_PERMISSIONS[role].includes(one))
      expect(more, `${within} within ${role}`).toEqual([])
    }
  }
})
