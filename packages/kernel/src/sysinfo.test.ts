import { execFileSync } from 'node:child_process'
import { requires } from '@openmaas/testkit/requires'
import { expect, test } from 'vitest'
import { bootId, cpuCount, memoryUse, pageSize } from './sysinfo.ts'

requires({ linux: true, programs: ['getconf'] }, () => {
  test('names this boot by a UUID, always the same', () => {
    expect(bootId()).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
    expect(bootId()).toBe(bootId())
  })

  test('knows the page size as getconf does', () => {
    expect(pageSize()).toBe(Number(execFileSync('getconf', ['PAGESIZE']).toString()))
  })
})

test('counts cores and memory of this process', () => {
  expect(cpuCount()).toBeGreaterThan(0)
  const { residentBytes, peakBytes } = memoryUse()
  expect(residentBytes).toBeGreaterThan(1 << 20)
  // The peak is kept in whole pages at the time of reading, so it may lag a little.
  expect(peakBytes).toBeGreaterThan(residentBytes / 2)
})
