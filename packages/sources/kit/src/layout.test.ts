import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writePrivateFile } from '@openmaas/kernel/private-file'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ownDirectory } from './layout.ts'

let root: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'openmaas-layout-'))
})

afterEach(() => rmSync(root, { recursive: true, force: true }))

test('a directory that is a link is refused, and what it points at is left as it is', () => {
  const victim = join(root, 'victim')
  mkdirSync(victim, { mode: 0o755 })
  symlinkSync(victim, join(root, 'data'))
  expect(() => ownDirectory(join(root, 'data'), null)).toThrow(/data/)
  expect(statSync(victim).mode & 0o777).toBe(0o755)
  ownDirectory(join(root, 'log'), null)
  expect(statSync(join(root, 'log')).mode & 0o777).toBe(0o700)
})

test('a private file takes the place of a link, and a link beside it is not followed', () => {
  const victim = join(root, 'victim')
  writeFileSync(victim, 'mine')
  const path = join(root, 'secret')
  for (const name of [path, `${path}.new`]) symlinkSync(victim, name)
  writePrivateFile(path, 'new')
  expect(readFileSync(victim, 'utf8')).toBe('mine')
  expect(readFileSync(path, 'utf8')).toBe('new')
  expect(statSync(path).mode & 0o777).toBe(0o600)
  expect(readdirSync(root).toSorted()).toEqual(['secret', 'secret.new', 'victim'])
})
