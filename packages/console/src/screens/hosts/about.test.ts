import { expect, test } from 'vitest'
import { readAbout } from './about.ts'

test('what a host says of itself is read field by field, and nothing of it is needed', () => {
  const nothing = {
    hostname: '',
    os: '',
    kernel: '',
    arch: '',
    cpuCount: 0,
    memoryBytes: 0,
    addresses: [],
  }
  expect(readAbout({})).toEqual(nothing)
  expect(readAbout({ cpuCount: 'many', os: 'Debian', more: 1 })).toEqual({
    ...nothing,
    os: 'Debian',
  })
})
