import { expect, test } from 'vitest'
import { parseConfiguration, Settings } from './settings.ts'

const parse = (text: string): unknown => Object.fromEntries(parseConfiguration(text, 'config.yaml'))

test('a configuration file holds names and values, comments and quotes', () => {
  const text = '---\n# ours\npool: /a b/c#d\nlanes: "4" # cores\n\npassphrase_file: \'/x\'\n'
  expect(parse(text)).toEqual({ pool: '/a b/c#d', lanes: '4', passphrase_file: '/x' })
})

test('contexts are left to those who log in', () => {
  const text =
    'context: prod\ncontexts:\n  prod:\n    server: https://x\n    ca: |\n      -----BEGIN\n# note\nlanes: 4\n'
  expect(parse(text)).toEqual({ context: 'prod', lanes: '4' })
  expect(parse('contexts: {}\npool: /x\n')).toEqual({ pool: '/x' })
})

test.each([
  ['pool /x', 'line 1: not of the form'],
  ['pool: /x\n\npassphrase: secret', 'line 3: unknown name "passphrase"'],
  ['pool:', 'line 1: not of the form'],
  ['x'.repeat(70_000), 'line 1: the file is too long'],
])('a line that is wrong is named', (text, message) => {
  expect(() => parse(text)).toThrowError(message)
})

test('the environment goes before files; what is empty is not set', () => {
  const env = { OPENMAAS_POOL: '/x', OPENMAAS_LANES: '', XDG_CONFIG_HOME: '/nowhere' }
  const settings = new Settings(undefined, env)
  expect(settings.get('pool')).toBe('/x')
  expect(settings.get('lanes')).toBeUndefined()
})
