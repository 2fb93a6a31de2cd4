import { expect, test } from 'vitest'
import { parseVersion, requireSupported } from './version.ts'

test.each([
  ['10.11.19-MariaDB-0+deb12u1-log', 'mariadb', '10.11.19', '10.11'],
  ['5.5.5-10.11.19-MariaDB', 'mariadb', '10.11.19', '10.11'],
  ['mariadbd  Ver 10.11.19-MariaDB-0+deb12u1 for debian-linux-gnu', 'mariadb', '10.11.19', '10.11'],
  ['9.7.4-2', 'mysql', '9.7.4', '9.7'],
  ['/usr/sbin/mysqld  Ver 9.7.4-2 for Linux on x86_64 ((Debian))', 'mysql', '9.7.4', '9.7'],
  ['8.0.36', 'mysql', '8.0.36', '8.0'],
])('"%s" is %s %s of series %s', (text, product, number, series) => {
  expect(parseVersion(text)).toEqual({ product, number, series })
})

test('what is no version is refused', () => {
  expect(() => parseVersion('hello')).toThrow('no version')
})

test.each([
  ['10.8.1-MariaDB', true],
  ['10.6.18-MariaDB', false],
  ['11.4.2-MariaDB', true],
  ['8.0.36', true],
  ['5.7.44', false],
])('%s is supported: %s', (text, supported) => {
  const ask = (): void => requireSupported(parseVersion(text))
  if (supported) expect(ask).not.toThrow()
  else expect(ask).toThrow('older')
})
