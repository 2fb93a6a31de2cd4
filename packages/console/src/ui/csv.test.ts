import { expect, test } from 'vitest'
import { toCsv } from './csv.ts'

test('quotes what would break a row, and defuses formulas', () => {
  expect(
    toCsv([
      ['a', 'b,"c"', 1, null],
      ['=1+1', '-x', -2, '行'],
    ]),
  ).toBe('a,"b,""c""",1,\r\n\'=1+1,\'-x,-2,行\r\n')
})
