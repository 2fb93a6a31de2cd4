import { mkdirSync, symlinkSync } from 'node:fs'
import { isMaasError } from '@openmaas/kernel/errors'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { agentSettings, checkPath } from './settings.ts'

let site: TemporaryDirectory
beforeEach(() => {
  site = new TemporaryDirectory()
  mkdirSync(site.join('allowed'))
  mkdirSync(site.join('other'))
  symlinkSync(site.join('other'), site.join('allowed', 'link'))
  symlinkSync(site.join('allowed'), site.join('way-in'))
})
afterEach(() => site.dispose())

function check(path: string, only: string[] | null): string {
  try {
    return checkPath(agentSettings.parse({ pathsOnly: only }), path)
  } catch (error) {
    if (isMaasError(error)) return error.code
    throw error
  }
}

describe('a path of an order', () => {
  test('must be absolute, and is made plain', () => {
    expect(check('srv', null)).toBe('ORDER_INVALID')
    expect(check('', null)).toBe('ORDER_INVALID')
    expect(check('/srv\0x', null)).toBe('ORDER_INVALID')
    expect(check('/srv/../etc//x/', null)).toBe('/etc/x')
  })

  test('stays below what the host allows, whatever links and dots say', () => {
    const only = [site.join('allowed')]
    expect(check(site.join('allowed'), only)).toBe(site.join('allowed'))
    expect(check(site.join('allowed/new/deep'), only)).toBe(site.join('allowed/new/deep'))
    expect(check(site.join('way-in/new'), only)).toBe(site.join('way-in/new'))
    expect(check(site.join('other'), only)).toBe('ORDER_REFUSED')
    expect(check(`${site.join('allowed')}/../other`, only)).toBe('ORDER_REFUSED')
    expect(check(site.join('allowed/link/x'), only)).toBe('ORDER_REFUSED')
    expect(check(site.join('allowed-too'), only)).toBe('ORDER_REFUSED')
    expect(check('/', only)).toBe('ORDER_REFUSED')
    expect(check('/', [])).toBe('ORDER_REFUSED')
    expect(check('/anything', ['/'])).toBe('/anything')
  })
})
