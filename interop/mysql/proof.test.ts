/**
 * Goal: the way to a MariaDB is encrypted and its certificate compared where that is asked for,
 * and a clone whose pages were damaged is found out.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { serverUser } from '@openmaas/source-kit/os-user'
import { runProgram } from '@openmaas/source-kit/run-program'
import { requires } from '@openmaas/testkit/requires'
import { MysqlFixture } from './fixture.test-support.ts'

const SOURCE = { engine: 'mysql', id: 'src_00000000000000000000000001' }
const ADMINISTRATOR = { user: 'keeper', password: 'Any-thing-1' }
const CONTEXT = { signal: new AbortController().signal, progress: (): void => {} }
const ACTIVATION = {
  ...ADMINISTRATOR,
  logDirectories: [],
  target: { kind: 'snapshot' as const },
  port: null,
  listen: ['127.0.0.1'],
  settings: {},
  follow: null,
  paused: false,
  asProduction: false,
}

requires({ root: true, programs: ['mariadbd', 'mariadb-backup', 'openssl'] }, () => {
  let fixture: MysqlFixture

  beforeAll(async () => {
    fixture = await MysqlFixture.make('mariadb')
  })
  afterAll(async () => {
    if (fixture === undefined) return
    const place = { ...SOURCE, directory: fixture.volume }
    await fixture.plugin.unfollow({ ...place, connection: null, forget: false }, CONTEXT)
    await fixture[Symbol.asyncDispose]()
  })

  /** For localhost, as its own authority. */
  async function makeCertificate(name: string): Promise<{ cert: string; key: string }> {
    const [key, cert] = [`${name}.key`, `${name}.crt`].map((file) =>
      join(fixture.production.data, file),
    )
    const command = ['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2']
    command.push('-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost')
    await runProgram([...command, '-keyout', key!, '-out', cert!], { user: serverUser('mysql') })
    return { cert: cert!, key: key! }
  }

  test('copy, standby and questions are encrypted, and the certificate is compared', async () => {
    const { plugin, production } = fixture
    const { cert, key } = await makeCertificate('server')
    await production.stop()
    await production.start([`--ssl-cert=${cert}`, `--ssl-key=${key}`])
    {
      await using session = await production.session()
      // Whoever comes in without is refused: so what works below was encrypted.
      await session.run("ALTER USER 'openmaas'@'%' REQUIRE SSL")
      await session.run('INSERT INTO app.load_rows (id) VALUES (1)')
    }
    const ca = readFileSync(cert, 'utf8')
    const connection = { ...fixture.connection, host: 'localhost', tls: 'verify', ca } as const
    const check = (how: object) =>
      plugin.check({ engine: 'mysql', connection: { ...connection, ...how } }, CONTEXT)
    expect((await check({})).checks.filter(({ ok }) => !ok)).toEqual([])
    await expect(check({ tls: 'off' })).rejects.toMatchObject({ code: 'DATABASE_DENIED' })
    const other = readFileSync((await makeCertificate('other')).cert, 'utf8')
    await expect(check({ ca: other })).rejects.toMatchObject({
      code: 'DATABASE_UNREACHABLE',
      message: expect.stringMatching(/certificate of localhost:\d+ is of an authority/),
    })

    const place = { ...SOURCE, directory: await fixture.makeVolume() }
    await plugin.seed({ ...place, connection, bytesPerSecond: null }, CONTEXT)
    const how = { retainedLimitBytes: 1e9, synchronous: false }
    const found = await plugin.follow({ ...place, connection, ...how }, CONTEXT)
    expect(found).toMatchObject({ state: 'following' })
    await plugin.mark({ ...place, connection }, CONTEXT)
  })

  test('CHECK TABLE finds a page that was damaged on disk, and not one that was not', async () => {
    const { plugin, volume } = fixture
    const verified = async (damage: boolean) => {
      const directory = await fixture.copyVolume(volume)
      const id = `vdb_${(damage ? '2' : '1').padStart(26, '0')}`
      const clone = { engine: 'mysql', id, directory }
      if (damage) flipBytes(join(directory, 'data/app/load_rows.ibd'))
      try {
        const { port } = await plugin.activate({ ...clone, ...ACTIVATION }, CONTEXT)
        const assertions = [{ database: 'app', sql: 'SELECT COUNT(*) = 1 FROM load_rows' }]
        const request = { ...clone, ...ADMINISTRATOR, port, assertions }
        return await plugin.verify(request, CONTEXT)
      } finally {
        await plugin.deactivate({ ...clone, immediate: true }, CONTEXT)
      }
    }
    const good = await verified(false)
    expect(good.checks.filter(({ ok }) => !ok)).toEqual([])
    const bad = await verified(true)
    expect(bad.ok).toBe(false)
    const table = bad.checks.find(({ name }) => name === 'CHECK TABLE app.load_rows')
    expect(table).toMatchObject({
      ok: false,
      evidence: expect.stringMatching(/orrupt|Error|error/),
    })
  })
})

const PAGE_SIZE = 16_384
/** Of the root of the clustered index, in a table without a secondary one. */
const ROOT_PAGE = 3

/** Within the page, so that only its checksum tells. */
function flipBytes(file: string): void {
  const bytes = readFileSync(file)
  const at = ROOT_PAGE * PAGE_SIZE + PAGE_SIZE / 2
  for (let offset = at; offset < at + 8; offset += 1) bytes[offset]! ^= 0xff
  writeFileSync(file, bytes)
}
