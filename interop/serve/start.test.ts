/** How the server starts, refuses to, tells systemd, is killed and comes back. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:tls'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { gunzipSync } from 'node:zlib'
import { findProgram, requires } from '@openmaas/testkit/requires'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { waitFor } from '@openmaas/testkit/wait-for'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { attempt } from '../support/program.ts'
import { errorOf, OPENMAAS } from '../support/command-line.ts'
import { ServerProgram } from './server.test-support.ts'

requires({ linux: true, programs: ['python3'] }, () => {
  let directory: TemporaryDirectory
  const servers: ServerProgram[] = []
  const compiled = new TemporaryDirectory()

  beforeEach(() => {
    directory = new TemporaryDirectory({ inMemory: true })
  })
  afterEach(async () => {
    for (const server of servers.splice(0)) await server[Symbol.asyncDispose]()
    directory.dispose()
  })
  afterAll(() => compiled.dispose())

  async function make(...flags: string[]): Promise<ServerProgram> {
    const server = await ServerProgram.make({
      data: directory.join('data'),
      flags: ['--http', ...flags],
      environment: { NODE_COMPILE_CACHE: compiled.path },
    })
    servers.push(server)
    return server
  }

  describe('the first start', () => {
    test('shows password, passphrase and fingerprint, and never again', async () => {
      const server = await make()
      const first = await server.begin()
      expect(first).toMatchObject({
        fingerprint: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) as unknown,
        login: { name: 'admin' },
        pool: { path: directory.join('data/pool') },
      })
      await server.logIn()
      const { items: policies } = await server.api.call('listPolicies')
      expect(policies.map(({ name }) => name).toSorted()).toEqual(['bronze', 'gold', 'silver'])
      expect((await server.stop()).exitCode).toBe(0)
      const second = await server.begin()
      expect(second).not.toHaveProperty('login')
      expect(second).not.toHaveProperty('pool')
      expect(second.fingerprint).toBe(first.fingerprint)
    })

    test('is over TLS, with the certificate whose fingerprint it shows', async () => {
      const server = await ServerProgram.make({ data: directory.join('data') })
      servers.push(server)
      const { url, fingerprint } = await server.begin()
      const socket = connect({ port: Number(new URL(url).port), rejectUnauthorized: false })
      await once(socket, 'secureConnect')
      const shown = socket.getPeerCertificate().fingerprint256.replaceAll(':', '').toLowerCase()
      socket.destroy()
      expect(`sha256:${shown}`).toBe(fingerprint)
    })

    test('under systemd puts secrets into a file of its own, and says that it is ready', async () => {
      await using manager = await Manager.listen(directory.join('notify'))
      const server = await ServerProgram.make({
        data: directory.join('data'),
        flags: ['--http', '--no-pool'],
        environment: {
          NODE_COMPILE_CACHE: compiled.path,
          JOURNAL_STREAM: '8:1',
          NOTIFY_SOCKET: manager.path,
          WATCHDOG_USEC: '200000',
        },
      })
      servers.push(server)
      const ready = await server.begin()
      expect(ready).not.toHaveProperty('login')
      const file = JSON.parse(
        readFileSync(directory.join('data/first-login.json'), 'utf8'),
      ) as object
      expect(file).toMatchObject({ login: { name: 'admin' } })
      await waitFor('systemd hears of it', () => manager.heard().includes('READY=1'))
      await waitFor('it is alive', () => manager.heard().includes('WATCHDOG=1'))
      await server.stop()
      await waitFor('it stops', () => manager.heard().includes('STOPPING=1'))
    })
  })

  describe('a start is refused', () => {
    test('while another server has the data directory', async () => {
      const server = await make()
      await server.begin()
      expect(await server.refusal()).toMatchObject({
        code: 'SERVER_BUSY',
        details: { pid: server.pid },
      })
    })

    test.each(['--listen', '--channel-listen', '--data-listen', '--nbd-listen'])(
      'when the port of %s is taken',
      async (flag) => {
        const other = createServer()
        await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
        const { port } = other.address() as AddressInfo
        const server = await make(flag, `127.0.0.1:${port}`)
        const error = await server.refusal()
        other.close()
        expect(error).toMatchObject({ code: 'PORT_TAKEN', details: { port } })
      },
    )

    test('when a newer version has written the catalog', async () => {
      const server = await make()
      await server.begin()
      await server.stop()
      const catalog = new DatabaseSync(directory.join('data/catalog.db'))
      catalog.exec(`update meta set value = '9999' where key like '%schema%' or key = 'version'`)
      catalog.close()
      expect(await server.refusal()).toMatchObject({ code: 'CATALOG_NEWER', exitCode: 2 })
    })

    test('when the data directory is no directory', async () => {
      writeFileSync(directory.join('data'), '')
      const server = await make()
      expect(await server.refusal()).toMatchObject({
        details: { path: expect.anything() as unknown },
      })
    })

    test('for plain HTTP beyond this machine', async () => {
      const server = await make('--listen', '0.0.0.0:0')
      expect(await server.refusal()).toMatchObject({ code: 'CONFIG_INVALID', exitCode: 2 })
    })

    test.each([
      ['names: [a', 'server.yaml'],
      ['lisen: 127.0.0.1:1', 'unknown setting lisen'],
      ['listen: nowhere', 'wants an address and a port'],
    ])('for the settings %j', async (content, message) => {
      const file = directory.join('server.yaml')
      writeFileSync(file, content)
      const outcome = await attempt([OPENMAAS, 'config', 'check', '--config', file, '--json'])
      expect(errorOf(outcome)).toMatchObject({
        code: 'CONFIG_INVALID',
        message: expect.stringContaining(message) as unknown,
      })
      expect(await (await make('--config', file)).refusal()).toMatchObject({
        code: 'CONFIG_INVALID',
      })
    })
  })

  test('settings come from flags, then the environment, then conf.d, then the file', async () => {
    const file = directory.join('server.yaml')
    mkdirSync(directory.join('conf.d'))
    writeFileSync(file, 'data: /1\nlogLevel: warn\nnames: [a, b]\ndataListen: "0.0.0.0:1"\n')
    writeFileSync(directory.join('conf.d/10.yaml'), 'data: /2\nlogLevel: error\n')
    const args = ['config', 'print', '--config', file, '--json']
    const environment = { OPENMAAS_LOG_LEVEL: 'debug' }
    const { stdout } = await attempt([OPENMAAS, ...args], { environment })
    expect(JSON.parse(stdout)).toEqual({
      data: '/2',
      logLevel: 'debug',
      names: ['a', 'b'],
      dataListen: '0.0.0.0:1',
    })
  })

  test('a server that was killed comes back as it was, and its admin with a new password', async () => {
    const server = await make()
    await server.begin()
    await server.logIn()
    await server.kill()
    await server.begin()
    const before = await server.api.call('listHosts')
    expect(before.items).toHaveLength(2)
    await server.stop()
    const reset = await attempt([
      OPENMAAS,
      'server',
      'reset-admin',
      '--data',
      directory.join('data'),
      '--json',
    ])
    const { password } = JSON.parse(reset.stdout) as { password: string }
    await server.begin()
    const login = await fetch(`${server.ready.url}/api/v1/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'admin', password }),
    })
    expect(login.status).toBe(200)
  })

  test('the support bundle tells much, and none of the secrets', async () => {
    const server = await make()
    await server.begin()
    await server.logIn()
    const { api } = server
    const { login, pool } = server.first!
    const token = api.token
    const invitation = await api.call('createJoinToken', { body: {} })
    const webhook = await api.call('createWebhook', {
      body: { name: 'w', url: 'https://user:hunter2secret@127.0.0.1:1/x?token=hunter3secret' },
    })
    const channel = {
      name: 'c',
      kind: 'webhook',
      config: { url: 'https://127.0.0.1:1/robot?key=hunter4secret' },
    } as const
    await api.call('createChannel', { body: channel })
    const response = await api.client.open('getSupportBundle')
    const text = gunzipSync(Buffer.from(await response.arrayBuffer())).toString('utf8')
    const bundle = JSON.parse(text) as Record<string, unknown>
    expect(bundle).toMatchObject({
      settings: { data: directory.join('data') },
      health: { catalog: true },
      catalog: { dialect: 'sqlite', rows: { pool: 1, host: 2, user: 1 } },
    })
    expect((bundle['log'] as string[]).length).toBeGreaterThan(0)
    const secrets = [
      login!.password,
      `${login!.password}-changed`,
      pool!.passphrase,
      token,
      invitation.secret,
      webhook.secret,
      'hunter2secret',
      'hunter3secret',
      'hunter4secret',
      readFileSync(directory.join('data/server.key'), 'latin1').trim(),
      'PRIVATE KEY',
    ]
    for (const secret of secrets) expect(text.includes(secret), secret).toBe(false)
  })

  test('a lost catalog comes back from the pool', async () => {
    const server = await make()
    await server.begin()
    await server.logIn()
    const { api } = server
    const files = directory.join('files')
    mkdirSync(files)
    writeFileSync(`${files}/a`, 'kept')
    const { items: hosts } = await api.call('listHosts')
    const hostId = hosts.find(({ kind }) => kind === 'agent')!.id
    const source = await api.call('createSource', { body: { name: 's', hostId, path: files } })
    const run = await api.call('protectSource', { params: { sourceId: source.id }, body: {} })
    await api.finish(run.jobId)
    await server.stop()
    for (const suffix of ['', '-wal', '-shm']) {
      rmSync(directory.join(`data/catalog.db${suffix}`), { force: true })
    }
    const rebuilt = await attempt([
      OPENMAAS,
      'catalog',
      'rebuild',
      '--data',
      directory.join('data'),
    ])
    expect(rebuilt, rebuilt.stderr).toMatchObject({ exitCode: 0 })
    // Whether people came back with a copy of the catalog is a matter of when one was made.
    const reset = await attempt([
      OPENMAAS,
      'server',
      'reset-admin',
      '--data',
      directory.join('data'),
      '--json',
    ])
    const login = JSON.parse(reset.stdout) as { name: string; password: string }
    server.first = { ...(await server.begin()), login }
    await server.logIn()
    const { items: points } = await server.api.call('listPoints')
    expect(points).toMatchObject([{ sourceId: source.id, state: 'available' }])
    const { items: sources } = await server.api.call('listSources')
    expect(sources).toMatchObject([{ id: source.id, name: 's', path: files }])
    const to = directory.join('restored')
    const restore = await server.api.call('restorePoint', {
      params: { pointId: points[0]!.id },
      body: { hostId: sources[0]!.hostId, to },
    })
    await server.api.finish('jobId' in restore ? restore.jobId : '')
    expect(existsSync(to)).toBe(true)
  })
})

/** Hears what systemd would; Node has no datagram sockets of the file system. */
class Manager implements AsyncDisposable {
  readonly path: string
  readonly #child: ReturnType<typeof spawn>
  #text = ''

  private constructor(path: string, child: ReturnType<typeof spawn>) {
    this.path = path
    this.#child = child
    child.stdout!.setEncoding('utf8').on('data', (text: string) => (this.#text += text))
  }

  static async listen(path: string): Promise<Manager> {
    const script = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
while True:
    print(s.recv(4096).decode(), flush=True)
`
    const child = spawn(findProgram('python3')!, ['-c', script, path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await waitFor('it listens', () => existsSync(path))
    return new Manager(path, child)
  }

  heard(): string {
    return this.#text
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL')
  }
}
