/** Broken requests against control as it is put together for `openmaas serve`, over a socket. */
import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { makeControlId } from '@openmaas/api/ids'
import { ROLES } from '@openmaas/api/permissions'
import type { Role } from '@openmaas/api/permissions'
import { routeNames } from '@openmaas/api/routes/routes'
import { systemClock } from '@openmaas/kernel/clock'
import { configureLog } from '@openmaas/kernel/log'
import { SeededRandom, systemRandom } from '@openmaas/kernel/random'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { insertUser } from '../auth/user-repository.ts'
import type { Catalog } from '../catalog/catalog.ts'
import { Control } from '../control.ts'
import { Breaker, checkAnswer } from './breaker.test-support.ts'
import { sampleOnce } from './samples.test-support.ts'
import { addTenant } from './site.test-support.ts'

const CASES = 400 * Number(process.env['OPENMAAS_FUZZ_FACTOR'] ?? 1)
const SEED = Number(process.env['OPENMAAS_FUZZ_SEED'] ?? 1)

async function addToken(catalog: Catalog, role: Role, number: number): Promise<string> {
  const now = systemClock.wallMs()
  const secret = `msk_${systemRandom.bytes(32).toString('base64url')}`
  const hash = createHash('sha256').update(secret).digest('hex')
  const id = makeControlId('user', systemClock, systemRandom)
  const rolesJson = JSON.stringify([role])
  await catalog.transaction(async (trx) => {
    await insertUser(trx, {
      id,
      name: `${role}-${number}`,
      createdAt: now,
      roles: [role],
      scope: null,
      passwordHash: null,
      mustChangePassword: false,
    })
    const token = { id: makeControlId('token', systemClock, systemRandom), name: 'fuzz', hash }
    await trx
      .insertInto('token')
      .values({
        ...token,
        userId: id,
        rolesJson,
        scopeJson: null,
        createdAt: now,
        expiresAt: now + 3_600_000,
        lastUsedAt: null,
        revokedAt: null,
      })
      .execute()
  })
  return secret
}

test(`${CASES} broken requests to the product get an answer of the contract`, async () => {
  let failure = ''
  configureLog({ level: 'error', format: 'json', write: (line) => void (failure = line) })
  using directory = new TemporaryDirectory({ inMemory: true })
  const local = { host: '127.0.0.1', port: 0 }
  await using control = await Control.start({
    directory: directory.path,
    catalogUrl: 'sqlite::memory:',
    clock: systemClock,
    random: systemRandom,
    version: '0.0.0',
    names: ['localhost'],
    api: local,
    channel: local,
    plain: true,
    embed: () => Promise.resolve([]),
    support: { settings: () => ({}), logLines: () => [] },
  })
  const { catalog, url } = control
  const id = (kind: Parameters<typeof makeControlId>[0]) =>
    makeControlId(kind, systemClock, systemRandom)
  const tenant = await addTenant({ catalog, clock: systemClock, id }, 'red')
  const tokens: string[] = []
  for (const role of [...ROLES, 'admin', 'admin', 'operator'] as const) {
    tokens.push(await addToken(catalog, role, tokens.length))
  }
  const breaker = new Breaker(new SeededRandom(SEED))
  const names = routeNames.filter((name) => name !== 'streamEvents')
  const sample = sampleOnce(tenant)
  const statuses = new Set<number>()
  for (let i = 0; i < CASES; i += 1) {
    const name = breaker.pick(names)
    const { route, url: path, body } = sample(name, breaker.chance(0.5))
    const broken = body === undefined ? undefined : breaker.break(body, breaker.pick([0, 0.1]))
    const sent = breaker.url(path)
    const response = await fetch(url + sent, {
      method: route.method,
      redirect: 'manual',
      headers: {
        authorization: `Bearer ${breaker.pick(tokens)}`,
        ...(route.precondition === true && { 'if-match': '*' }),
        ...(broken !== undefined && { 'content-type': 'application/json' }),
      },
      ...(broken !== undefined && { body: JSON.stringify(broken) }),
    })
    const { status, headers } = response
    const seen = { status, type: headers.get('content-type') ?? '', text: await response.text() }
    statuses.add(status)
    checkAnswer(name, seen, `seed ${SEED} case ${i} ${name} ${sent} ${failure}`)
  }
  for (const status of [200, 403, 404, 422]) expect(statuses).toContain(status)
  configureLog({ level: 'silent' })
}, 3_600_000)
