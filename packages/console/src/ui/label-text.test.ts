import { describe, expect, test } from 'vitest'
import { labelTexts, parseLabel, toLabels } from './label-text.ts'

describe('labels as text', () => {
  test('come back as they were', () => {
    const labels = { env: 'prod', 'app.io/team': 'shop', empty: '' }
    expect(toLabels(labelTexts(labels))).toEqual(labels)
  })

  test('may have an equals sign in the value, and spaces around', () => {
    expect(parseLabel(' q = a=b ')).toEqual(['q', 'a=b'])
  })

  test.each(['prod', '=x', 'a b=c', '-a=b', `a=${'x'.repeat(129)}`])('%s is none', (text) => {
    expect(parseLabel(text)).toBeNull()
    expect(toLabels([text])).toEqual({})
  })
})
