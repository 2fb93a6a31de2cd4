import { closeSync, openSync } from 'node:fs'
import { expect, test } from 'vitest'
import { errorToMessage, reviveError, toMaasError } from './error-message.ts'
import { MaasError } from './errors.ts'

test('carries an error to another thread and back', () => {
  const error = new MaasError('FS_NO_SPACE', 'write /a: ENOSPC', { path: '/a' })
  const revived = reviveError(structuredClone(errorToMessage(error)))
  expect(revived).toMatchObject({ code: 'FS_NO_SPACE', details: { path: '/a' } })
  expect(revived.stack).toBe(error.stack)
  expect(errorToMessage(new TypeError('odd'))).toMatchObject({ code: 'INTERNAL', message: 'odd' })
  expect(errorToMessage('text')).toMatchObject({ code: 'INTERNAL', message: 'text' })
})

test('a system call that fails unforeseen is no bug of the program', () => {
  expect(thrownBy(() => openSync('/nowhere/at/all', 'r'))).toMatchObject({
    code: 'FS_NOT_FOUND',
    details: { path: '/nowhere/at/all', errno: 'ENOENT' },
  })
  expect(thrownBy(() => closeSync(-1))).toMatchObject({ code: 'INTERNAL' })
})

function thrownBy(work: () => void): MaasError {
  try {
    work()
  } catch (error) {
    return toMaasError(error)
  }
  throw new Error('it did not fail')
}
