/** What else makes copies of a MariaDB: mariadb-backup, restored and started. */
import { join } from 'node:path'
import { mkdirSync, rmSync } from 'node:fs'
import { chown } from 'node:fs/promises'
import { serverUser } from '@openmaas/source-kit/os-user'
import { runProgram } from '@openmaas/source-kit/run-program'
import { startServer, stopServer } from '@openmaas/source-kit/server-process'
import { Session } from '@openmaas/source-mysql/session'
import { waitFor } from '@openmaas/testkit/wait-for'
import { type Engine, MariadbEngine } from './engine.ts'
import type { Note } from './peers-postgres.ts'
import { usedBytes } from './site.ts'

const mb = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`
const START_MS = 600_000

export async function measureMariadbPeers(engine: Engine, root: string, note: Note): Promise<void> {
  if (!(engine instanceof MariadbEngine)) throw new Error('a MariaDB was expected')
  const place = join(root, 'mariadb-backup')
  const user = serverUser('mysql')
  mkdirSync(place)
  if (user !== null) await chown(place, user.uid, user.gid)
  const { socket, data } = engine.production
  const [full, copy] = [join(place, 'full'), join(place, 'data')]
  const call = (...words: string[]): Promise<unknown> =>
    runProgram(['mariadb-backup', '--no-defaults', ...words], { user, timeoutMs: null })
  let beganMs = performance.now()
  const since = (): string => `${((performance.now() - beganMs) / 1000).toFixed(1)} s`
  const from = [`--datadir=${data}`, `--socket=${socket}`, '--user=root']
  await call('--backup', `--target-dir=${full}`, ...from)
  await call('--prepare', `--target-dir=${full}`)
  note('mariadb-backup, full and prepared', `${since()}, ${mb(await usedBytes(full))}`)
  beganMs = performance.now()
  await call('--copy-back', `--target-dir=${full}`, `--datadir=${copy}`)
  const command = ['/usr/sbin/mariadbd', '--no-defaults', `--datadir=${copy}`]
  const own = join(place, 'copy.sock')
  command.push(`--socket=${own}`, '--skip-networking', `--pid-file=${join(place, 'copy.pid')}`)
  await startServer({ run: place, name: 'copy', command, user, restart: false })
  const ask = async (): Promise<boolean> => {
    await using session = await Session.open('production', { socketPath: own, user: 'root' })
    return (await session.rows('SELECT c FROM sbtest.sbtest1 WHERE id = 1000')).length > 0
  }
  await waitFor('the copy answers', ask, { timeoutMs: START_MS })
  const took = since()
  await stopServer({ run: place, name: 'copy' }, { signal: 'SIGTERM', timeoutMs: 60_000 })
  note(
    'mariadb-backup, copied back to the first query',
    `${took}, ${mb(await usedBytes(copy))} each`,
  )
  rmSync(place, { recursive: true })
}
