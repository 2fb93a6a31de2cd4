import { describe, expect, test } from 'vitest'
import { errnoName, fsError } from './fs-errors.ts'

describe('errno to error', () => {
  test.each([
    ['ENOENT', 'FS_NOT_FOUND'],
    ['ENOTDIR', 'FS_NOT_FOUND'],
    ['EEXIST', 'FS_EXISTS'],
    ['ENOTEMPTY', 'FS_EXISTS'],
    ['ENOSPC', 'FS_NO_SPACE'],
    ['EDQUOT', 'FS_NO_SPACE'],
    ['EACCES', 'FS_DENIED'],
    ['EROFS', 'FS_DENIED'],
    ['EMFILE', 'FS_LIMIT'],
    ['EIO', 'FS_IO'],
    ['EWHATEVER', 'FS_IO'],
  ])('%s is %s', (name, code) => {
    const error = fsError(name, 'open', '/a/b')
    expect(error).toMatchObject({ code, details: { path: '/a/b', errno: name } })
  })

  test('is told in plain words, where the system has them', () => {
    expect(fsError('EROFS', 'open', '/a').message).toBe('open /a: read-only file system')
    expect(fsError('ENOSPC', 'write', undefined).message).toBe('write: no space left on device')
    expect(fsError('EWHATEVER', 'open', '/a').message).toBe('open /a: EWHATEVER')
  })

  test('knows the names of Linux error numbers', () => {
    const numbers = [2, 5, 11, 28, 61, 95, 108, 4095]
    expect(numbers.map(errnoName)).toEqual([
      'ENOENT',
      'EIO',
      'EAGAIN',
      'ENOSPC',
      'ENODATA',
      'EOPNOTSUPP',
      'ESHUTDOWN',
      'E4095',
    ])
  })
})
