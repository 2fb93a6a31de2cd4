import { describe, expect, test } from 'vitest'
import { choice, flag, loadConfig, secretFile, showConfig, size, text, whole } from './config.ts'

const SETTINGS = {
  logLevel: choice(['info', 'silent'], 'silent'),
  lanes: whole(2, { least: 1, most: 64 }),
  cacheSize: size(1024, { least: 0, most: 2 ** 40 }),
  color: flag(true),
  pool: text(),
  passphraseFile: secretFile(),
}

const file = (content: unknown) => ({ path: '/etc/openmaas.json', content })

describe('configuration', () => {
  test('takes flags before environment before file before defaults', () => {
    const sources = {
      flags: { logLevel: 'info', pool: undefined },
      env: { OPENMAAS_LOG_LEVEL: 'silent', OPENMAAS_LANES: '8', PATH: '/bin' },
      file: file({ lanes: 4, cacheSize: '64MiB', color: false }),
    }
    expect(loadConfig(SETTINGS, sources)).toEqual({
      logLevel: 'info',
      lanes: 8,
      cacheSize: 64 * 1024 * 1024,
      color: false,
      pool: undefined,
      passphraseFile: undefined,
    })
  })

  test('is frozen', () => {
    expect(Object.isFrozen(loadConfig(SETTINGS, {}))).toBe(true)
  })

  test.each([
    [{ flags: { lanes: '0' } }, '--lanes wants a whole number from 1 to 64'],
    [{ flags: { cacheSize: 'much' } }, '--cache-size wants a size'],
    [{ env: { OPENMAAS_LOG_LEVEL: 'loud' } }, 'OPENMAAS_LOG_LEVEL wants one of info, silent'],
    [{ env: { OPENMAAS_POOL: 'p'.repeat(5000) } }, 'OPENMAAS_POOL wants a text'],
    [{ file: file({ color: 'maybe' }) }, 'color in /etc/openmaas.json wants true or false'],
    [{ file: file({ lanes: { a: 1 } }) }, 'lanes in /etc/openmaas.json wants'],
    [{ file: file({ lane: 1 }) }, '/etc/openmaas.json has an unknown setting lane'],
    [{ file: file([]) }, '/etc/openmaas.json is not a table of settings'],
    [{ file: file({ passphraseFile: '' }) }, 'passphraseFile in /etc/openmaas.json wants the path'],
  ])('refuses %j by name', (sources, message) => {
    const refused = { code: 'CONFIG_INVALID', message: expect.stringContaining(message) }
    expect(() => loadConfig(SETTINGS, sources)).toThrow(expect.objectContaining(refused))
  })

  test('shows everything but secrets', () => {
    const config = loadConfig(SETTINGS, { flags: { passphraseFile: '/root/secret' } })
    expect(config.passphraseFile).toBe('/root/secret')
    expect(showConfig(SETTINGS, config)).toMatchObject({ lanes: 2, passphraseFile: '(set)' })
  })
})
