import { expect, test } from 'vitest'
import { originOf } from './origin.ts'

const settings = {
  fourEyes: false,
  sessionIdleMinutes: 60,
  oidc: [],
  auditSyslog: null,
  publicUrl: 'https://backup.example',
  version: 2,
}

test('what is as it comes is the default, everything else was set by somebody', () => {
  expect(originOf('fourEyes', settings)).toBe('default')
  expect(originOf('oidc', settings)).toBe('default')
  expect(originOf('sessionIdleMinutes', settings)).toBe('changed')
  expect(originOf('publicUrl', settings)).toBe('changed')
})
