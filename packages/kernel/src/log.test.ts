import { execFileSync } from 'node:child_process'
import { afterEach, describe, expect, test } from 'vitest'
import { MaasError } from './errors.ts'
import { configureLog, type LogOptions, makeLog } from './log.ts'

/** Logs made before and after `configureLog` behave the same: this one is made first. */
const log = makeLog('openmaas:pool:gc')

function written(options: Omit<LogOptions, 'write'>, work: () => void): string[] {
  const lines: string[] = []
  configureLog({ ...options, write: (line) => void lines.push(line) })
  work()
  return lines
}

afterEach(() => configureLog({ level: 'silent' }))

describe('log', () => {
  test('writes one JSON line per event, from its level on', () => {
    const lines = written({ level: 'info', format: 'json' }, () => {
      log.debug('unseen')
      log.with({ jobId: 'job_1' }).info('condemned', { packs: 3, bytes: 5n })
    })
    expect(lines.join('')).toMatch(/^\{.*\}\n$/)
    expect(JSON.parse(lines[0]!)).toMatchObject({
      level: 'info',
      time: expect.any(Number),
      msg: 'condemned',
      component: 'openmaas:pool:gc',
      jobId: 'job_1',
      packs: 3,
      bytes: '5',
    })
  })

  test('writes a short line for people, which no value can break', () => {
    const lines = written({ level: 'warn', format: 'human' }, () => {
      log.warn('unreadable', { path: 'a\n\x1b[31m', count: 2, code: 'FS_IO' })
    })
    const shown = lines[0]!.replace(/^\d\d:\d\d:\d\d /, '')
    expect(shown).toBe('warn  pool:gc unreadable path="a\\n\\u001b[31m" count=2 code=FS_IO\n')
  })

  test('never shows secrets or bytes, however deep', () => {
    const fields = {
      passphrase: 'hunter2',
      passphraseFile: '/root/p',
      nested: { masterKey: 'hunter2', list: [{ apiToken: 'hunter2' }] },
      key: Buffer.from('hunter2'),
      bytes: Buffer.from('hunter2'),
    }
    const [line] = written({ level: 'info', format: 'json' }, () => log.info('opened', fields))
    expect(line).not.toContain('hunter2')
    expect(JSON.parse(line!)).toMatchObject({ passphraseFile: '/root/p', bytes: '(7 bytes)' })
  })

  test('cuts what is endless', () => {
    const loop: Record<string, unknown> = {}
    loop['self'] = loop
    const fields = { loop, list: Array.from({ length: 1000 }, () => 1), text: 'x'.repeat(99_999) }
    const [line] = written({ level: 'info', format: 'json' }, () => log.info('big', fields))
    expect(line!.length).toBeLessThan(3000)
    expect(line).toContain('… 980 more')
  })

  test('tells code and details of a failure, and its cause', () => {
    const cause = new Error('socket closed')
    const error = new MaasError('FS_IO', 'read /a: EIO', { path: '/a', passphrase: 'x' }, { cause })
    const [line] = written({ level: 'error', format: 'json' }, () => log.error('failed', { error }))
    expect(JSON.parse(line!).error).toMatchObject({
      code: 'FS_IO',
      details: { path: '/a', passphrase: '(secret)' },
      cause: { name: 'Error', message: 'socket closed' },
    })
  })

  // Goal: a command that logs nothing does not pay for the logger.
  test('loads pino only with the first line', () => {
    const script = `
      import { createRequire } from 'node:module'
      import { configureLog, makeLog } from '${new URL('log.ts', import.meta.url).href}'
      const loaded = () => Object.keys(createRequire('${import.meta.filename}').cache)
        .some((path) => path.includes('/pino/'))
      const log = makeLog('openmaas:test')
      log.error('unseen')
      const before = loaded()
      configureLog({ level: 'info', format: 'json' })
      log.info('seen')
      process.stdout.write([before, loaded()].join())`
    const options = { stdio: ['ignore', 'pipe', 'ignore'] as ('ignore' | 'pipe')[] }
    const out = execFileSync(process.execPath, ['--input-type=module', '-e', script], options)
    expect(out.toString()).toBe('false,true')
  })
})
