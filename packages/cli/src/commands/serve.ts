/** `openmaas serve`: the product on one machine. Runs until it is told to end. */
import { hostname } from 'node:os'
import path from 'node:path'
import { configureLog } from '@openmaas/kernel/log'
import { writePrivateFile } from '@openmaas/kernel/private-file'
import type { Input } from '../program/input.ts'
import type { Site } from '../program/site.ts'
import { RecentLog } from '../serve/recent-log.ts'
import { runRole } from '../serve/run-role.ts'
import type { Server } from '../serve/server.ts'
import { loadSettings } from '../serve/load-settings.ts'
import type { ServerConfig } from '../serve/settings.ts'

export async function run(input: Input, site: Site): Promise<void> {
  const { config } = loadSettings('server', input, site)
  const recent = new RecentLog()
  configureLog({ level: config.logLevel, format: config.logFormat, write: recent.write })
  const { Server } = await import('../serve/server.ts')
  await runRole(
    () => Server.start(config, recent),
    site,
    (server) => showReady(server, config, site),
  )
}

function showReady(server: Server, config: ServerConfig, site: Site): void {
  const { out, text, env } = site
  const { url, fingerprint, firstAdmin } = server.control
  const first = firstSecrets(server)
  // A journal is read by many and kept for long: there secrets go into a file of root's.
  const inJournal = env['JOURNAL_STREAM'] !== undefined && first !== undefined
  const file = path.join(config.data, 'first-login.json')
  if (inJournal) writePrivateFile(file, `${JSON.stringify(first, null, 2)}\n`)
  if (out.json) {
    out.value({ url, fingerprint, data: config.data, ...(inJournal ? { file } : first) })
    out.flush()
    return
  }
  out.line(text('serve.ready', { url, fingerprint }))
  if (inJournal) out.line(text('serve.secretsFile', { file }))
  else if (firstAdmin !== undefined) {
    const { name, password } = firstAdmin
    out.line(text('serve.login', { name, password }))
    if (server.firstPool !== undefined) {
      const { path: at, passphrase } = server.firstPool
      out.line(text('serve.pool', { path: at, passphrase }))
    }
  }
  if (firstAdmin !== undefined) {
    out.line(text('serve.next', { url, fingerprint, host: hostname() }))
  }
  out.flush()
}

function firstSecrets({ firstAdmin, firstPool }: Server): object | undefined {
  if (firstAdmin === undefined) return undefined
  const { name, password } = firstAdmin
  return { login: { name, password }, ...(firstPool !== undefined && { pool: firstPool }) }
}
