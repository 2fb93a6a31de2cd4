/** Every rule speaks both languages, with what its row says. */
import { expect, test } from 'vitest'
import type { AlertParams } from './alert-rules.ts'
import { describeAlert, TEXTS } from './texts.ts'
import { bytesText, timeText } from './values-text.ts'

const AT = Date.UTC(2026, 10, 22, 14, 3)
const ofSource = { source: 'mail', host: 'web' }
const every = { ...ofSource, everyMs: 86_400_000, lastAt: null }

const SAMPLES: { readonly [R in keyof AlertParams]: AlertParams[R] } = {
  'source-unprotected': ofSource,
  'rpo-missed': {
    ...ofSource,
    rpoMs: 900_000,
    lastSuccessAt: AT,
    failureCode: 'HOST_OFFLINE',
    hostOffline: true,
  },
  'nothing-succeeds': { count: 7, lastSuccessAt: null },
  'scheduler-stalled': { sinceAt: AT, overdue: 3 },
  'jobs-stuck': { count: 5, sinceAt: AT },
  'job-failing': { kind: 'collect', object: 'main', failures: 4, code: 'POOL_OFFLINE' },
  'database-unverified': {
    source: 'shop',
    host: 'db-1',
    pointId: 'pnt_1',
    jobId: 'job_1',
    at: AT,
    reason: 'checksums: page 3 of orders is damaged',
  },
  'verification-failed': { object: 'mail', jobId: 'job_1', at: AT },
  'verification-overdue': every,
  'drill-overdue': every,
  'source-anomaly': { ...ofSource, signal: 'change', day: AT, value: 9e9, usual: 1e6 },
  'agent-offline': { host: 'web', role: 'agent', sinceAt: AT },
  'certificate-expiring': { name: 'web', notAfter: AT },
  'clock-skew': { host: 'web', skewMs: -61_000 },
  'clock-jumped': { byMs: 7_200_000, at: AT },
  'pool-nearly-full': { pool: 'main', usedPercent: 91, freeBytes: 1e10 },
  'pool-full-soon': { pool: 'main', days: 9, growthBytesPerDay: 2e10 },
  'pool-degraded': { pool: 'main' },
  'pool-offline': { pool: 'main', node: 'store', seenAt: null },
  'pool-damaged': { pool: 'main', badBlocks: 2 },
  'catalog-backup-old': { lastAt: AT },
  'medium-lease-ending': { medium: 'try', host: 'web', leaseUntil: AT },
  'medium-lost': { medium: 'try', host: 'web' },
  'standby-behind': { ...ofSource, state: 'following', lagMs: 600_000, reason: '' },
  'standby-retention': { ...ofSource, retainedBytes: 9e9, limitBytes: 1e10 },
  'standby-volume': { ...ofSource, usedBytes: 3.4e9, sizeBytes: 4e9, maxBytes: 4e9 },
  'standby-log-cut': { ...ofSource, at: AT, lastPointAt: AT },
  'standby-must-reseed': { ...ofSource, reason: 'the slot is gone' },
  'virtual-database-ending': { database: 'try', host: 'web', leaseUntil: AT },
  'virtual-database-full': { database: 'try', host: 'web', limit: 'quota', quotaBytes: 1e9 },
  'virtual-database-lost': { database: 'try', host: 'web' },
  'server-disk-full': { usedPercent: 93, freeBytes: 1e9 },
}

const rules = Object.keys(SAMPLES) as (keyof AlertParams)[]

test.each(rules)('%s has title, cause and next step in both languages', (rule) => {
  const alert = { rule, params: SAMPLES[rule] as unknown as Record<string, unknown> }
  const [en, zh] = [describeAlert(alert, 'en'), describeAlert(alert, 'zh')]
  for (const text of [...Object.values(en), ...Object.values(zh)]) {
    expect(text).not.toMatch(/undefined|NaN|\[object/)
    expect(text.length).toBeGreaterThan(5)
  }
  for (const text of Object.values(zh)) expect(text).toMatch(/\p{Script=Han}/u)
  expect(Object.values(en).join('')).not.toMatch(/\p{Script=Han}/u)
  expect(en.cause).toMatch(/\.$/)
  expect(Object.keys(TEXTS.zh)).toEqual(Object.keys(TEXTS.en))
})

test('each kind of anomaly has words of its own', () => {
  const params = SAMPLES['source-anomaly']
  const titles = (['change', 'compressibility', 'shrink'] as const).map(
    (signal) => TEXTS.en['source-anomaly']({ ...params, signal }).title,
  )
  expect(new Set(titles).size).toBe(3)
})

test('a row of a rule that this version does not know, or with other parameters, is shown', () => {
  expect(describeAlert({ rule: 'moon-phase', params: {} }, 'en').title).toBe('Alert moon-phase')
  expect(describeAlert({ rule: 'toString', params: {} }, 'zh').title).toBe('告警 toString')
  for (const rule of rules) expect(() => describeAlert({ rule, params: {} }, 'zh')).not.toThrow()
})

test('values are short: bytes by powers of 1,024, times to the minute in UTC', () => {
  expect([0, 1023, 1536, 10 * 1024 ** 2, 1024 ** 6].map((bytes) => bytesText(bytes))).toEqual([
    '0 B',
    '1023 B',
    '1.5 KiB',
    '10 MiB',
    '1024 PiB',
  ])
  expect(timeText(AT, 'en')).toBe('2026-11-22 14:03Z')
  expect(timeText(null, 'zh')).toBe('从未')
})
