import { describe, expect, test } from 'vitest'
import { BASKET_COUNT_MAX, type BasketItem, byPoint, isInBasket, toggled } from './basket.ts'
import { crumbsOf, parentOf, patternOf, placedAt } from './paths.ts'
import { previewOf } from './preview.ts'

const item = (pointId: string, path: string): BasketItem => ({
  pointId,
  path,
  sourceId: 'src',
  takenAt: '2026-11-22T12:00:00Z',
  kind: 'file',
  sizeBytes: 1,
})

describe('the basket', () => {
  test('takes an item once, and gives it back when it is chosen again', () => {
    const one = toggled([], item('a', '/x'))
    expect(isInBasket(one, 'a', '/x')).toBe(true)
    expect(isInBasket(one, 'b', '/x')).toBe(false)
    expect(toggled(one, item('a', '/x'))).toEqual([])
  })

  test('takes no more than its limit', () => {
    const full = Array.from({ length: BASKET_COUNT_MAX }, (_, index) => item('a', `/${index}`))
    expect(toggled(full, item('a', '/more'))).toBe(full)
  })

  test('is one restore for each point', () => {
    const basket = [item('a', '/x'), item('b', '/y'), item('a', '/z')]
    expect(byPoint(basket).map((own) => own.length)).toEqual([2, 1])
  })
})

describe('paths', () => {
  test('lead up and down', () => {
    expect(parentOf('/docs/a.txt')).toBe('/docs')
    expect(parentOf('/a.txt')).toBe('/')
    expect(crumbsOf('/docs/2026').map(({ path }) => path)).toEqual(['/', '/docs', '/docs/2026'])
  })

  test('come to stand below the folder that is restored to', () => {
    expect(placedAt('/tmp/back/', '/docs/a.txt')).toBe('/tmp/back/docs/a.txt')
    expect(placedAt('/', '/a.txt')).toBe('/a.txt')
  })

  test('are looked for as they are, whatever a glob would make of them', () => {
    expect(patternOf('/docs/a.txt')).toBe('docs/a.txt')
    expect(patternOf('/docs/[1]*.txt')).toBe('docs/[[]1[]][*].txt')
  })
})

describe('a preview', () => {
  const bytes = (text: string) => new TextEncoder().encode(text)

  test('shows text, also when its last character is torn', () => {
    expect(previewOf('a', bytes('héllo'), false)).toEqual({ kind: 'text', text: 'héllo' })
    expect(previewOf('a', bytes('hé').subarray(0, 2), true)).toEqual({ kind: 'text', text: 'h' })
    expect(previewOf('a', bytes('hé').subarray(0, 2), false)).toEqual({ kind: 'binary' })
  })

  test('knows pictures by name, and what is neither by its bytes', () => {
    expect(previewOf('a.PNG', bytes('x'), false)).toEqual({ kind: 'image', type: 'image/png' })
    expect(previewOf('a.svg', bytes('<svg/>'), false).kind).toBe('text')
    expect(previewOf('a.bin', new Uint8Array([1, 0, 2]), false).kind).toBe('binary')
    expect(previewOf('a', new Uint8Array(), false).kind).toBe('empty')
  })
})
