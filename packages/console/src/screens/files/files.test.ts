import { describe, expect, test } from 'vitest'
import { BASKET_COUNT_MAX, type BasketItem, byPoint, isInBasket, toggled } from './basket.ts'
import { crumbsOf, parentOf, patternOf, placedAt } from './paths.ts'
import { previewOf } from './preview.ts'
import { becomes, hasTwins, toRestoreBody, wantedRestores } from './restore-form.ts'

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

describe('a restore', () => {
  const origin = { hostId: 'h', path: '/srv/files' }
  const form = { hostId: 'h', to: '/tmp/x', keepFolders: true, conflict: 'rename' } as const
  const items = [item('a', '/docs/x.txt'), item('a', '/y.txt'), item('a', '/docs/z.txt')]
  const places = (isInPlace: boolean, keepFolders: boolean) =>
    wantedRestores(items, { ...form, isInPlace, keepFolders }, () => origin)!.flatMap((one) =>
      one.items.map((own) => becomes(one, own)),
    )

  test('asks for each folder by itself, so that files come back to where they were', () => {
    expect(places(true, false)).toEqual([
      '/srv/files/docs/x.txt',
      '/srv/files/docs/z.txt',
      '/srv/files/y.txt',
    ])
    expect(places(false, true)).toContain('/tmp/x/docs/x.txt')
    expect(places(false, false)).toEqual(['/tmp/x/x.txt', '/tmp/x/y.txt', '/tmp/x/z.txt'])
  })

  test('brings what lies in a chosen folder only once', () => {
    const both = [item('a', '/docs'), item('a', '/docs/x.txt'), item('a', '/docs2')]
    const wanted = wantedRestores(both, { ...form, isInPlace: true }, () => origin)!
    expect(wanted.map((one) => toRestoreBody(one).paths)).toEqual([['docs', 'docs2']])
  })

  test('of a whole point names no paths; without host or place it is none', () => {
    const all = wantedRestores([item('a', '/')], { ...form, isInPlace: true }, () => origin)!
    expect(toRestoreBody(all[0]!)).toMatchObject({ paths: [], to: '/srv/files' })
    const none = { ...form, isInPlace: false }
    expect(wantedRestores(items, { ...none, hostId: null }, () => origin)).toBeNull()
    expect(wantedRestores(items, { ...none, to: 'tmp' }, () => origin)).toBeNull()
  })

  test('knows names that would stand in each other’s way', () => {
    expect(hasTwins([item('a', '/x/n'), item('a', '/y/n')])).toBe(true)
    expect(hasTwins([item('a', '/x/n'), item('b', '/y/n')])).toBe(false)
  })
})
