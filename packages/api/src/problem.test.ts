import { describe, expect, test } from 'vitest'
import { ERRORS, MaasError } from '@openmaas/kernel/errors'
import type { ErrorCode } from '@openmaas/kernel/errors'
import { languageOf, statusOf, toProblem } from './problem.ts'
import { problem } from './resources/common.ts'

const codes = Object.keys(ERRORS) as ErrorCode[]

describe('problems', () => {
  test('every code of the table becomes one, in both languages', () => {
    for (const code of codes) {
      for (const language of ['en', 'zh'] as const) {
        const made = toProblem(new MaasError(code, 'what happened', { id: 'x' }), { language })
        expect(problem.strict().parse(made)).toEqual(made)
        expect(made).toMatchObject({ code, status: statusOf(code), hint: ERRORS[code][language] })
        expect(made.status, code).toBeGreaterThanOrEqual(400)
      }
    }
  })

  test('a bug tells the caller nothing but where to look', () => {
    const error = new MaasError('INTERNAL', 'select secret from user', { sql: 'x' })
    const made = JSON.stringify(toProblem(error, { language: 'en', requestId: 'req_1' }))
    expect(made).not.toContain('select')
    expect(made).not.toContain('sql')
    expect(made).toContain('req_1')
  })

  test('a pointer in the details is a place of the request', () => {
    const error = new MaasError('NAME_TAKEN', 'another one', { pointer: '/name', id: '7' })
    expect(toProblem(error, { language: 'en' })).toMatchObject({
      errors: [{ pointer: '/name', detail: 'another one' }],
      details: { id: '7' },
    })
  })

  test.each([
    [undefined, 'en'],
    ['zh-CN,zh;q=0.9,en;q=0.8', 'zh'],
    ['en-GB,en;q=0.9,zh;q=0.1', 'en'],
    ['de,zh-TW;q=0.5', 'zh'],
    ['zh;q=0', 'en'],
    ['zh;q=x', 'en'],
    ['*', 'en'],
  ] as const)('%s asks for %s', (header, language) => {
    expect(languageOf(header)).toBe(language)
  })
})
