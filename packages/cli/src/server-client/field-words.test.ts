import { expect, test } from 'vitest'
import { parseInput } from '../program/input.ts'
import { COMMANDS, GLOBAL_OPTIONS } from '../program/tree.ts'
import { wordFor } from './field-words.ts'

test.each([
  ['vdb create shop', '/quotaBytes', '--quota'],
  ['vdb create shop', '/lifetimeSeconds', '--drop-after'],
  ['vdb extend shop', '/lifetimeSeconds', '--ttl'],
  ['vdb create shop', '/settings/work_mem', '--set'],
  ['database change shop', '/database/connection/host', '--place'],
  ['database change shop', '/database/volumeBytes', '--volume-size'],
  ['job list', '/query/filter[hostId]', '--host'],
  ['policy add gold', '/spec/windows/0/from', 'spec.windows.0.from'],
  ['vdb drop shop', '/params/virtualDatabaseId', 'virtualDatabaseId'],
  ['vdb drop shop', '/', '/'],
])('of "%s" the place %s is called %s', (line, pointer, word) => {
  const words = line.split(' ')
  const spec = COMMANDS.find(({ path }) => path === words.slice(0, 2).join(' '))!
  const input = parseInput(spec, GLOBAL_OPTIONS, words.slice(2))
  expect(wordFor(pointer, input)).toBe(word)
})
