import { expect, test } from 'vitest'
import { isObjectName, objectNameFrom } from './object-name.ts'

test.each([
  'shop',
  'shop-test_2.1',
  '订单库',
  'postgres db1:5432',
  'Größe',
  'é',
  'a (b)',
  '库（测试）',
  '7',
])('"%s" is a name', (name) => {
  expect(isObjectName(name)).toBe(true)
  expect(objectNameFrom(name)).toBe(name)
})

test.each([
  ['bad name/..', 'bad name-..'],
  ['../etc', 'etc'],
  ['.hidden', 'hidden'],
  ['-f', 'f'],
  ['a/b', 'a-b'],
  ['home@yesterday', 'home-yesterday'],
  ['a\nb', 'a-b'],
  ['a\u202Eb', 'a-b'],
  ['a\tb', 'a-b'],
  [' a', 'a'],
  ['a ', 'a'],
  ['', ''],
  ['/', ''],
  ['n'.repeat(129), 'n'.repeat(128)],
  ['postgres /run/postgresql', 'postgres -run-postgresql'],
])('%j is none, and becomes %j', (text, name) => {
  expect(isObjectName(text)).toBe(false)
  expect(objectNameFrom(text)).toBe(name)
  expect(name === '' || isObjectName(name)).toBe(true)
})
