import { expect, test } from 'vitest'
import { reasonOf } from './waiting-reason.ts'

const NOW = new Date('2026-11-23T01:00:00Z')
const queued = { state: 'queued', notBefore: '2026-11-23T00:59:00Z' } as const
const online = { state: 'online', drained: false } as const

test('a job waits for its time before anything else', () => {
  const later = { ...queued, notBefore: '2026-11-23T02:00:00Z' }
  expect(reasonOf(later, { ...online, state: 'offline' }, NOW)).toBe('until')
})

test('a job waits for its host, or for its turn', () => {
  expect(reasonOf(queued, { ...online, state: 'offline' }, NOW)).toBe('host')
  expect(reasonOf(queued, { ...online, drained: true }, NOW)).toBe('drained')
  expect(reasonOf(queued, online, NOW)).toBe('turn')
  expect(reasonOf(queued, undefined, NOW)).toBe('turn')
  expect(reasonOf({ ...queued, state: 'paused' }, online, NOW)).toBe('paused')
})
