import { expect, test } from 'vitest'
import { scopeLabels, toScope } from './scope.ts'

test('a scope comes back as it was, with one value and with several', () => {
  const scope = { env: 'prod', team: ['shop', 'mail'] }
  expect(scopeLabels(scope)).toEqual({ env: 'prod', team: 'shop|mail' })
  expect(toScope(scopeLabels(scope))).toEqual(scope)
})

test('nothing typed is everything', () => {
  expect(toScope({})).toBeNull()
  expect(scopeLabels(null)).toEqual({})
})
