/** Goal: what is shown once is shown, though the very first start fails half way. */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { afterAll, expect, test } from 'vitest'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { Serve, START_TIMEOUT_MS } from './serve.test-support.ts'
import { transcriptEnvironment } from './transcript.ts'

const directory = new TemporaryDirectory()
const serve = new Serve()
const other = createServer()
afterAll(async () => {
  await serve.stop()
  other.close()
  directory.dispose()
}, START_TIMEOUT_MS)

test(
  'a port that was taken costs nobody the passphrase of the pool',
  async () => {
    other.listen(0, '127.0.0.1')
    await once(other, 'listening')
    const taken = `127.0.0.1:${(other.address() as AddressInfo).port}`
    const env = { ...transcriptEnvironment(directory.path), OPENMAAS_POOL: '' }
    const args = [
      'serve',
      '--data',
      'server',
      '--nbd-listen',
      taken,
      '--data-listen',
      '127.0.0.1:0',
    ]
    const cwd = directory.path
    const failed = spawnSync('openmaas', args, { cwd, env, encoding: 'utf8' })
    expect(failed.stderr).toContain('PORT_TAKEN')
    await serve.start(directory.path)
    const passphraseFile = directory.join('passphrase')
    expect(readFileSync(passphraseFile, 'utf8')).toMatch(/^\w{5}(?:-\w{5})+\n$/)
  },
  START_TIMEOUT_MS,
)
