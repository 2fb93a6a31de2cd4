import { expect, test } from 'vitest'
import { changesOf } from './changes.ts'

test('only what differs is a change', () => {
  expect(changesOf({ name: 'a', rank: 1 }, { name: 'b', rank: 1 })).toEqual([
    { field: 'name', before: 'a', after: 'b' },
  ])
})

test('what was made has no before, what was removed no after', () => {
  expect(changesOf(null, { labels: { env: 'prod' } })).toEqual([
    { field: 'labels', before: null, after: '{"env":"prod"}' },
  ])
  expect(changesOf({ name: 'a' }, null)).toEqual([{ field: 'name', before: 'a', after: null }])
})

test('what is no object is shown whole', () => {
  expect(changesOf(null, ['a'])).toEqual([{ field: '', before: null, after: '["a"]' }])
  expect(changesOf(null, null)).toEqual([])
})
