import { describe, expect, test } from 'vitest'
import type { Source } from '@openmaas/api/resources/source'
import {
  matchingSources,
  proposedPoint,
  searchedSources,
  SOURCES_SEARCHED_MAX,
  waysOf,
} from './choice.ts'

const source = (name: string, changed: Partial<Source> = {}): Source =>
  ({ id: name, name, path: `/srv/${name}`, kind: 'files', lastPointId: 'p', ...changed }) as Source
const point = (id: string, verifiedAt: string | null) => ({ id, takenAt: id, verifiedAt })

describe('what was lost', () => {
  test('is looked for in names and paths of sources, whatever the case', () => {
    const all = [source('Orders'), source('home', { path: '/home/orders-old' }), source('mail')]
    expect(matchingSources(all, ' ORDERS').map(({ id }) => id)).toEqual(['Orders', 'home'])
    expect(matchingSources(all, '')).toHaveLength(3)
  })

  test('is looked for as a file where there are files, captured last first', () => {
    const all = [
      source('old', { lastSuccessAt: '2026-01-01' }),
      source('new', { lastSuccessAt: '2026-02-01' }),
      source('db', { kind: 'postgres' }),
      source('never', { lastPointId: null }),
    ]
    expect(searchedSources(all).map(({ id }) => id)).toEqual(['new', 'old'])
    const many = Array.from({ length: 20 }, (_, index) => source(`s${index}`))
    expect(searchedSources(many)).toHaveLength(SOURCES_SEARCHED_MAX)
  })
})

describe('the point that is proposed', () => {
  test('is the newest verified one, else the newest', () => {
    expect(proposedPoint([point('3', null), point('2', 'v'), point('1', 'v')])?.id).toBe('2')
    expect(proposedPoint([point('3', null), point('2', null)])?.id).toBe('3')
    expect(proposedPoint([])).toBeUndefined()
  })
})

test('a database is a virtual one or mounted, a disk is mounted or written elsewhere, files have every way', () => {
  expect(waysOf({ kind: 'volume' }, 'postgres')).toEqual(['database', 'mount'])
  expect(waysOf({ kind: 'volume' }, 'disk')).toEqual(['mount', 'elsewhere'])
  expect(waysOf({ kind: 'tree' }, 'files')).toHaveLength(4)
})
