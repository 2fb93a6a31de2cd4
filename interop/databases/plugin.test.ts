/** An engine that only a plug-in of the host knows, in Python: from its check to a virtual database. */
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import process from 'node:process'
import type { ConnectionRevealed } from '@openmaas/api/resources/virtual-database'
import { requires } from '@openmaas/testkit/requires'
import { waitFor } from '@openmaas/testkit/wait-for'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ServerProgram } from '../serve/server.test-support.ts'
import { OPENMAAS } from '../support/command-line.ts'
import { findLeftovers } from '../support/leftovers.ts'
import { run } from '../support/program.ts'
import { finish, removeSource } from './finish.test-support.ts'

const PLUGIN = join(import.meta.dirname, '../../packages/sources/kit/examples/ledger-plugin.py')
const GIB = 1024 ** 3
const NEEDED = {
  linux: true,
  root: true,
  paths: ['/dev/fuse', '/dev/loop-control'],
  programs: ['python3'],
} as const

requires(NEEDED, () => {
  describe('an engine of a plug-in', () => {
    let root: string
    let production: string
    let plugins: string
    let server: ServerProgram
    let hostId: string
    let sourceId: string | undefined

    beforeAll(async () => {
      root = mkdtempSync('/dev/shm/openmaas-plugin-')
      plugins = join(root, 'plugins')
      mkdirSync(plugins)
      copyFileSync(PLUGIN, join(plugins, 'ledger'))
      chmodSync(join(plugins, 'ledger'), 0o755)
      copyFileSync(PLUGIN, join(plugins, 'anybodys'))
      chmodSync(join(plugins, 'anybodys'), 0o777)
      writeFileSync(join(plugins, 'mute'), '#!/bin/sh\necho why >&2\n', { mode: 0o755 })
      production = join(root, 'ledger.txt')
      add('first')
      server = await ServerProgram.start({
        data: join(root, 'data'),
        flags: ['--http', '--plugins', plugins],
      })
      const { items } = await server.api.call('listHosts')
      hostId = items.find(({ kind }) => kind === 'agent')!.id
    })

    afterAll(async () => {
      await server?.[Symbol.asyncDispose]()
      expect(findLeftovers([root, '/run/openmaas-ledger'])).toEqual([])
      rmSync(root, { recursive: true, force: true })
    })

    const add = (text: string) => appendFileSync(production, `${Date.now()} ${text}\n`)

    async function protect(): Promise<void> {
      const params = { sourceId: sourceId! }
      const { jobId } = await server.api.call('protectSource', { params, body: {} })
      await finish(server.api, jobId)
    }

    test('is shown by its host, and so is why another plug-in was refused', async () => {
      const { engines = [] } = await server.api.call('getHost', { params: { hostId } })
      const byName = new Map(engines.map((each) => [each.engine, each]))
      expect(byName.get('ledger')).toEqual({
        engine: 'ledger',
        title: 'Ledger',
        version: '1.0',
        programs: ['1'],
        builtIn: false,
        problem: '',
      })
      expect(byName.get('postgres')).toMatchObject({ builtIn: true, problem: '' })
      expect(byName.get('anybodys')!.problem).toMatch(/may be written by others.*chmod go-w/)
      expect(byName.get('mute')!.problem).toMatch(/it ended \(exit code 0\): why/)
    })

    test('is protected and verified, and any second of it is a database of its own', async () => {
      const connection = { host: production, port: 1, user: 'nobody', password: null }
      const checked = await server.api.call('checkDatabase', {
        body: { kind: 'ledger', hostId, connection },
      })
      expect(checked).toMatchObject({ ok: true, engineVersion: '1' })
      const unknown = server.api.call('checkDatabase', {
        body: { kind: 'oracle', hostId, connection },
      })
      await expect(unknown).rejects.toThrow(
        /no plug-in for oracle; it knows postgres, mysql, ledger/,
      )
      const source = await server.api.call('createSource', {
        body: {
          name: 'books',
          hostId,
          kind: 'ledger',
          database: { connection, volumeBytes: GIB / 4 },
        },
      })
      sourceId = source.id
      await protect()
      add('second')
      const at = new Date().toISOString()
      await waitFor('the clock has moved on', () => Date.now() > Date.parse(at) + 5)
      add('third')
      await protect()

      const body = { name: 'second', sourceId, at, hostId }
      const made = await server.api.call('createVirtualDatabase', { body })
      if (!('virtualDatabaseId' in made)) throw new Error('a job was expected')
      await finish(server.api, made.jobId)
      const params = { virtualDatabaseId: made.virtualDatabaseId }
      const revealed = await server.api.call('revealConnection', { params })
      expect(revealed.url).toMatch(/^ledger:\/\//)
      expect(await ask(revealed, 'ROWS')).toMatch(/first\n\d+ second\nEND/)
      expect(await ask(revealed, 'ADD mine')).toMatch(/OK\nOK/)
      expect(await ask({ ...revealed, password: 'wrong' }, 'ROWS')).toBe('DENIED\n')

      const { items: points } = await server.api.call('listPoints')
      const verified = await server.api.call('verifyDatabasePoint', {
        params: { pointId: points[0]!.id },
        body: { assertions: [{ database: 'ledger', sql: 'lines = 3' }] },
      })
      const job = await finish(server.api, verified.jobId)
      expect(job.result).toMatchObject({ ok: true })
      const dropped = await server.api.call('dropVirtualDatabase', { params, body: {} })
      if (!('jobId' in dropped)) throw new Error('a job was expected')
      await finish(server.api, dropped.jobId)
      expect(findLeftovers([made.virtualDatabaseId])).toEqual([])
    })

    test('is listed on the command line, whose check names what is wrong in plain words', async () => {
      const tokenFile = join(root, 'token')
      writeFileSync(tokenFile, server.api.token, { mode: 0o600 })
      const environment = {
        OPENMAAS_NODE: process.execPath,
        OPENMAAS_SERVER: server.ready.url,
        OPENMAAS_TOKEN_FILE: tokenFile,
      }
      expect(await run([OPENMAAS, 'database', 'list'], { environment })).toContain('books')
      const missing = run([OPENMAAS, 'database', 'check', 'ledger', '/nowhere'], { environment })
      await expect(missing).rejects.toThrow(/there is no ledger at \/nowhere/)
    })

    test('goes without a trace', async () => {
      const params = { sourceId: sourceId! }
      const { database } = await server.api.call('getSource', { params })
      await removeSource(server.api, sourceId!)
      expect(findLeftovers([database!.mediumId!])).toEqual([])
    })
  })
})

/** One line to the instance, and everything it answers. */
function ask({ host, port, user, password }: ConnectionRevealed, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port })
    let answer = ''
    socket.setTimeout(30_000, () => socket.destroy(new Error('no answer')))
    socket.on('data', (bytes) => (answer += bytes.toString('utf8')))
    socket.once('error', reject).once('close', () => resolve(answer))
    socket.end(`AUTH ${user} ${password}\n${line}\n`)
  })
}
