import { describe, expect, test } from 'vitest'
import { leftMs, lifetimeParts, LIFETIMES_SECONDS } from './lifetimes.ts'
import { emptyMount, isPathWrong, mountCli, preferredHost, toMountBody } from './mount-form.ts'

const host = (id: string, changed: object = {}) =>
  ({ id, name: id, state: 'online', drained: false, ...changed }) as const

describe('the proposed host', () => {
  test('is the one that the data came from, while it can take a medium', () => {
    expect(preferredHost([host('a'), host('b')], 'b')).toBe('b')
  })

  test('is another where that one is away or drained, and none where none is left', () => {
    expect(preferredHost([host('a'), host('b', { state: 'offline' })], 'b')).toBe('a')
    expect(preferredHost([host('a'), host('b', { drained: true })], 'b')).toBe('a')
    expect(preferredHost([host('a', { state: 'offline' })], 'a')).toBeNull()
  })
})

describe('what is sent', () => {
  test('has no path where a place is chosen, nor where only the disk is wanted', () => {
    const form = emptyMount(false)
    expect(toMountBody(form, 'h')).toMatchObject({ mountPath: null, mount: true, quotaBytes: null })
    const disk = { ...form, diskOnly: true, mountPath: '/mnt/x' }
    expect(toMountBody(disk, 'h')).toMatchObject({ mountPath: null, mount: false })
  })

  test('counts a quota in bytes; a role that needs one begins with one', () => {
    expect(toMountBody(emptyMount(true), 'h').quotaBytes).toBe(10 * 1024 ** 3)
  })

  test('refuses a path that is not absolute', () => {
    expect(isPathWrong({ ...emptyMount(false), mountPath: 'mnt' })).toBe(true)
    expect(isPathWrong({ ...emptyMount(false), mountPath: '/mnt' })).toBe(false)
  })

  test('is said as a line for the CLI', () => {
    const form = { ...emptyMount(false), readOnly: true, mountPath: '/mnt/x' }
    expect(mountCli('pnt_1', form, 'web-1')).toBe(
      'openmaas point mount pnt_1 --to web-1 --ttl 24h --read-only --path /mnt/x',
    )
  })
})

describe('lifetimes', () => {
  test('are told in days where they are whole days, else in hours', () => {
    expect(
      LIFETIMES_SECONDS.map(lifetimeParts).map(({ unit, count }) => `${count} ${unit}`),
    ).toEqual(['1 hours', '8 hours', '24 hours', '3 days', '7 days', '30 days'])
  })

  test('end at nothing, never below', () => {
    const now = new Date('2026-11-22T12:00:00Z')
    expect(leftMs('2026-11-22T11:00:00Z', now)).toBe(0)
    expect(leftMs('2026-11-22T12:00:05Z', now)).toBe(5000)
    expect(leftMs(null, now)).toBeNull()
  })
})
