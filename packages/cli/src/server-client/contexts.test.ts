/** Contexts are kept beside what a person wrote, readable by nobody else. */
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { parseConfiguration } from '../program/settings.ts'
import { ContextFile } from './contexts.ts'

const PROD = { name: 'prod', server: 'https://backup:8730', token: 'msk_0123456789abcdef' }
let home: TemporaryDirectory
let file: string
const site = (): { env: Record<string, string> } => ({ env: { HOME: home.path } })
const write = (text: string): void => {
  mkdirSync(path.dirname(file), { recursive: true })
  writeFileSync(file, text)
}
beforeEach(() => {
  home = new TemporaryDirectory()
  file = home.join('.config/openmaas/config.yaml')
})
afterEach(() => home.dispose())

test('a context is there again, and its file is for its owner only', () => {
  const contexts = ContextFile.read(site())
  expect(contexts.list()).toEqual([])
  contexts.put({ ...PROD, ca: '-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n' })
  contexts.use('prod')
  contexts.save()
  expect(statSync(file).mode & 0o777).toBe(0o600)
  const again = ContextFile.read(site())
  expect(again.find('prod')).toMatchObject({
    ...PROD,
    ca: expect.stringContaining('abc') as unknown,
  })
  expect(existsSync(`${file}.new`)).toBe(false)
  // The other reader of the same file.
  expect(parseConfiguration(readFileSync(file, 'utf8'), file).get('context')).toBe('prod')
})

test('what a person wrote stays, with its comments', () => {
  write('# where we back up to\npool: /srv/pool # the big disk\n')
  const contexts = ContextFile.read(site())
  contexts.put(PROD)
  contexts.save()
  const text = readFileSync(file, 'utf8')
  expect(text).toContain('# where we back up to\npool: /srv/pool # the big disk\n')
  expect(parseConfiguration(text, file).get('pool')).toBe('/srv/pool')
})

test('a context that is removed is no longer the current one', () => {
  const contexts = ContextFile.read(site())
  contexts.put(PROD)
  contexts.use('prod')
  contexts.remove('prod')
  contexts.save()
  expect(() => ContextFile.read(site()).find('prod')).toThrowError(/there is no context "prod"/)
  expect(parseConfiguration(readFileSync(file, 'utf8'), file).has('context')).toBe(false)
})

test.each([
  ['contexts:\n  prod: 7\n', /contexts\.prod/],
  ['contexts:\n  prod:\n    server: ftp://x\n    token: msk_1\n', /contexts\.prod\.server/],
  ['contexts:\n  prod:\n    server: https://x\n    token: secret\n', /contexts\.prod\.token/],
  ['contexts: [\n', /config\.yaml/],
])('a file that is damaged is named and left alone: %j', (text, message) => {
  write(text)
  expect(() => ContextFile.read(site()).list()).toThrowError(message)
  expect(readFileSync(file, 'utf8')).toBe(text)
})

test('a name that would not survive in YAML or a shell is refused', () => {
  for (const name of ['', 'a b', '../x', '-x', 'x'.repeat(65)]) {
    expect(() => ContextFile.read(site()).put({ ...PROD, name })).toThrowError(
      /no name for a context/,
    )
  }
})
