import { describe, expect, test } from 'vitest'
import { AssertionFailure, assert } from './assert.ts'
import { ERROR_CATEGORIES, ERRORS, isMaasError, MaasError } from './errors.ts'

const CJK = /[\u4e00-\u9fff]/
/** Punctuation of the other script beside a Chinese character. */
const HALF_WIDTH = /[\u4e00-\u9fff][,;:!?(]|[,;:!?)][\u4e00-\u9fff]/

describe('the error table', () => {
  test.each(Object.entries(ERRORS))(
    '%s has a category and a hint in both languages',
    (code, row) => {
      expect(code).toMatch(/^[A-Z][A-Z0-9_]+$/)
      expect(Object.keys(ERROR_CATEGORIES)).toContain(row.category)
      expect(row.en).toMatch(/^[A-Z].*\.$/)
      expect(row.zh).toMatch(CJK)
      expect(row.zh.endsWith('。')).toBe(true)
      expect(row.zh).not.toMatch(HALF_WIDTH)
      expect(row.en).not.toMatch(CJK)
    },
  )

  // Goal: backup scripts depend on these numbers (CONVENTIONS.md, section 3).
  test('keeps its exit codes', () => {
    const exits = Object.entries(ERROR_CATEGORIES).map(([name, { exit }]) => [name, exit])
    expect(Object.fromEntries(exits)).toEqual({
      invalid: 2,
      denied: 4,
      not_found: 3,
      conflict: 5,
      cancelled: 130,
      exhausted: 7,
      unavailable: 9,
      unsupported: 2,
      corrupt: 10,
    })
  })

  test('knows its own errors by code, whatever the text', () => {
    const error = new MaasError('POOL_BUSY', 'another process owns the pool', { pid: 7 })
    expect([isMaasError(error), isMaasError(error, 'POOL_BUSY')]).toEqual([true, true])
    expect([isMaasError(error, 'FS_IO'), isMaasError(new Error('POOL_BUSY'))]).toEqual([
      false,
      false,
    ])
    expect([error.category, error.exitCode]).toEqual(['conflict', 5])
    expect(error.hint()).not.toBe(error.hint('zh'))
  })

  test('an assertion says which invariant does not hold', () => {
    expect(() => assert(1 === 1, 'one is one')).not.toThrow()
    const failed = new AssertionFailure('invariant does not hold: one is two')
    expect(() => assert(false, 'one is two')).toThrow(failed)
  })
})
