import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ERROR_CATEGORIES, ERRORS } from '@openmaas/kernel/errors'
import { expect, test } from 'vitest'
import { ERROR_PAGE, renderErrorPage } from './error-reference.ts'

test('the error page says what the error table says; else run "npm run generate"', () => {
  const page = readFileSync(join(dirname(import.meta.dirname), ERROR_PAGE), 'utf8')
  expect(page).toBe(renderErrorPage())
})

test('every code has a hint in both languages', () => {
  for (const [code, error] of Object.entries(ERRORS)) {
    expect(error.en, code).toMatch(/^[A-Z].*\.$/)
    expect(error.zh, code).toMatch(/\p{Script=Han}/u)
  }
})

test('every category is used, and none claims success', () => {
  const used = new Set<string>(Object.values(ERRORS).map((error) => error.category))
  expect([...used].sort()).toEqual(Object.keys(ERROR_CATEGORIES).sort())
  for (const category of Object.values(ERROR_CATEGORIES)) {
    expect(category.exit).toBeGreaterThan(0)
    expect(category.nbd).toBeGreaterThan(0)
  }
})
