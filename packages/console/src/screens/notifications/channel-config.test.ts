import { expect, test } from 'vitest'
import { targetOf, toConfig } from './channel-config.ts'

test('what is typed becomes what the API wants of that kind', () => {
  const typed = {
    host: 'mail',
    port: '25',
    from: 'a@example.com',
    to: 'b@example.com, c@example.com',
  }
  expect(toConfig('email', typed)).toEqual({
    host: 'mail',
    port: 25,
    from: 'a@example.com',
    to: ['b@example.com', 'c@example.com'],
  })
})

test('fields of another kind are left out', () => {
  expect(toConfig('slack', { url: 'https://hooks', host: 'mail' })).toEqual({
    url: 'https://hooks',
  })
})

test('there is no config while something that is needed is missing', () => {
  expect(toConfig('webhook', { secret: 'only' })).toBeNull()
  expect(toConfig('syslog', { address: ' ' })).toBeNull()
})

test('a channel shows whom it reaches', () => {
  expect(targetOf({ host: 'mail', to: ['a@example.com'] })).toBe('a@example.com')
  expect(targetOf({ url: 'https://hooks' })).toBe('https://hooks')
  expect(targetOf({})).toBe('–')
})
