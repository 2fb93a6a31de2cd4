import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { apiLine, hasFilters, listSearch, toListQuery } from './search-params.ts'

const schema = listSearch({ sorts: ['name', 'endedAt'], filters: { state: z.string().max(9) } })

describe('the address of a list', () => {
  test('keeps what is right and drops what is wrong, one by one', () => {
    expect(schema.parse({ state: 'failed', sort: '-endedAt', limit: 20, page: 2 })).toEqual({
      state: 'failed',
      sort: '-endedAt',
      limit: 20,
      page: 2,
    })
    const wrong = schema.parse({ state: 'far too long', sort: 'size', limit: 7, page: 0, x: 1 })
    expect(Object.values(wrong).filter((value) => value !== undefined)).toEqual([])
  })

  test('becomes the query of the API', () => {
    expect(toListQuery({ state: 'failed', sort: 'name', page: 3, columns: 'a' })).toEqual({
      limit: 50,
      sort: 'name',
      'filter[state]': 'failed',
    })
  })

  test('has filters only where something is left out of the list', () => {
    expect(hasFilters({ sort: 'name', page: 2, state: undefined })).toBe(false)
    expect(hasFilters({ state: 'failed' })).toBe(true)
  })
})

test('a line of the API can be pasted', () => {
  expect(apiLine('GET', '/api/v1/jobs', { 'filter[state]': 'a,b', cursor: undefined })).toBe(
    'GET /api/v1/jobs?filter[state]=a%2Cb',
  )
})
