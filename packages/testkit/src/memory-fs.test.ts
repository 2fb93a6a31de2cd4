import { expect, test } from 'vitest'
import { MemoryFs } from './memory-fs.ts'
import { verifyFs } from './verify-fs.ts'

verifyFs('MemoryFs', () => {
  const fs = new MemoryFs()
  fs.makeDirectory('/site')
  return { fs, root: '/site' }
})

test('is full at its capacity, and has room again when a file goes', () => {
  const fs = new MemoryFs({ capacity: 100 })
  const file = fs.open('/a', 'create')
  fs.write(file, Buffer.alloc(90), 0)
  expect(fs.freeBytes('/')).toBe(10)
  expect(() => fs.write(file, Buffer.alloc(20), 90)).toThrow(
    expect.objectContaining({ code: 'FS_NO_SPACE', category: 'exhausted' }),
  )
  expect(fs.size(file)).toBe(90)
  fs.close(file)
  fs.unlink('/a')
  expect([fs.freeBytes('/'), fs.openCount]).toEqual([100, 0])
})
