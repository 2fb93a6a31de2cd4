/** What a role may ask of a medium. */
import { describe, expect, test } from 'vitest'
import type { Principal } from '@openmaas/api/permissions'
import { checkLimits, requireNoDatabase } from './handlers.ts'

const as = (role: 'data-consumer' | 'operator'): Principal => ({
  actor: 'user:usr_a',
  roles: [role],
  scope: null,
})
const wish = { quotaBytes: 1 << 30, lifetimeSeconds: 3600, mountPath: null }

describe('a data consumer', () => {
  test.each([
    ['a quota', { ...wish, quotaBytes: null }, '/quotaBytes'],
    [
      'a lifetime of at most a month',
      { ...wish, lifetimeSeconds: 32 * 86_400 },
      '/lifetimeSeconds',
    ],
    ['no place of its own choice', { ...wish, mountPath: '/etc/cron.d' }, '/mountPath'],
  ])('plugs with %s', (_what, asked, pointer) => {
    const refused = expect.objectContaining({ code: 'REQUEST_INVALID' })
    expect(() => checkLimits(as('data-consumer'), asked)).toThrowError(refused)
    expect(() => checkLimits(as('data-consumer'), asked)).toThrowError(
      expect.objectContaining({ details: expect.objectContaining({ pointer }) }),
    )
    expect(() => checkLimits(as('operator'), asked)).not.toThrowError()
  })

  test('plugs within those limits', () => {
    expect(() => checkLimits(as('data-consumer'), wish)).not.toThrowError()
  })

  test('has no disk of a database, which is what its virtual databases are for', () => {
    const point = { sourceId: 'src_1', databaseJson: '{}' }
    const refused = expect.objectContaining({ code: 'DATABASE_NOT_OFFERED' })
    expect(() => requireNoDatabase(as('data-consumer'), point)).toThrowError(refused)
    expect(() => requireNoDatabase(as('operator'), point)).not.toThrowError()
    const files = { ...point, databaseJson: null }
    expect(() => requireNoDatabase(as('data-consumer'), files)).not.toThrowError()
  })
})
