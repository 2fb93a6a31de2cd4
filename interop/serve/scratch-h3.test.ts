import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { expect, test } from 'vitest'
import { ServerProgram } from './server.test-support.ts'

test('kills', async () => {
  const directory = new TemporaryDirectory({ inMemory: true })
  for (let s = 0; s < 3; s += 1) {
    mkdirSync(directory.join(`files${s}`))
    for (let i = 0; i < 3000; i += 1)
      writeFileSync(directory.join(`files${s}/f${i}`), `hello ${s} ${i}`.repeat(200))
  }
  const server = await ServerProgram.start({ data: directory.join('data'), flags: ['--http'] })
  try {
    const { items: hosts } = await server.api.call('listHosts')
    const agent = hosts.find(({ kind }) => kind === 'agent')!
    const sources = []
    for (let s = 0; s < 3; s += 1) {
      sources.push(
        await server.api.call('createSource', {
          body: {
            name: `files${s}`,
            hostId: agent.id,
            path: directory.join(`files${s}`),
            labels: { env: 'prod' },
          },
        }),
      )
    }
    await server.api.call('createPolicy', {
      body: {
        name: 'minute',
        selector: { env: 'prod' },
        spec: { rpo: '1m', retention: { last: 3 } },
      },
    } as never)
    const begin = Date.now()
    let n = 0
    while (Date.now() - begin < 120_000) {
      n += 1
      const life = 1000 + Math.random() * 9000
      const until = Date.now() + life
      let change = 0
      while (Date.now() < until) {
        change += 1
        for (let s = 0; s < 3; s += 1) {
          writeFileSync(directory.join(`files${s}/changed${n}`), 'x'.repeat(100000 + change))
          await server.api
            .call('protectSource', { params: { sourceId: sources[s]!.id }, body: {} })
            .catch((e) => console.log('protect', String(e).slice(0, 200)))
        }
        await delay(150)
      }
      await server.kill()
      await server.begin()
      ;(server.api as unknown) = server.api
    }
    console.log('kills', n)
    await delay(90_000)
  } finally {
    await server.stop()
  }
  const db = new DatabaseSync(directory.join('data/catalog.db'))
  console.log(db.prepare('select kind, state, count(*) as n from job group by kind, state').all())
  console.log(
    db
      .prepare(
        'select problem_json, count(*) n from job where problem_json is not null group by problem_json limit 20',
      )
      .all(),
  )
  console.log(db.prepare('select code, level, count(*) n from job_log group by code, level').all())
  console.log(db.prepare('select state, count(*) as n from point group by state').all())
  console.log(
    db
      .prepare('select id, kind, state, phase, attempt, claimed_by from job where ended_at is null')
      .all(),
  )
  console.log(
    'doubles',
    db
      .prepare(
        "select subject, count(*) n from event where type='job.ended' group by subject having n > 1",
      )
      .all(),
  )
  console.log(db.prepare('select * from schedule').all())
  console.log(execFileSync('ls', ['-la', directory.join('data')]).toString())
  expect(1).toBe(1)
  directory.dispose()
}, 400_000)
