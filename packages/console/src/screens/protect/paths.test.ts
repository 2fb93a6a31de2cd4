import { expect, test } from 'vitest'
import { childPath, crumbsOf } from './paths.ts'

test('a child of the root has one slash', () => {
  expect([childPath('/', 'srv'), childPath('/srv', 'www')]).toEqual(['/srv', '/srv/www'])
})

test('each part of a path leads to itself', () => {
  expect(crumbsOf('/')).toEqual([{ name: '/', path: '/' }])
  expect(crumbsOf('/srv//www/').map(({ path }) => path)).toEqual(['/', '/srv', '/srv/www'])
})
