/**
 * One running server: the lock of its data directory, control, and the roles embedded in it.
 *
 * Begun in the order of need and ended in the other one. Killed at any moment it starts again
 * from its data directory; that is the normal way and not a special one.
 */
import { hostname } from 'node:os'
import { Control } from '@openmaas/control/control'
import type { MadeAdmin } from '@openmaas/control/auth/first-admin'
import { systemClock } from '@openmaas/kernel/clock'
import { MaasError } from '@openmaas/kernel/errors'
import { systemRandom } from '@openmaas/kernel/random'
import { readVersion } from '../commands/version.ts'
import { isLoopback, isWildcard } from './address.ts'
import { catalogUrl } from './catalog-url.ts'
import { BUILT_CONSOLE } from './console-root.ts'
import { DataLock } from './data-lock.ts'
import { embedRoles } from './embed.ts'
import type { Embedding } from './embed.ts'
import type { RecentLog } from './recent-log.ts'
import type { Role } from './run-role.ts'
import type { ServerConfig } from './settings.ts'
import { showSettings } from './show-settings.ts'

export class Server implements Role {
  readonly control: Control
  /** At the first start: what is shown once. */
  readonly firstAdmin: MadeAdmin | undefined
  readonly firstPool: Embedding['pool']
  readonly #stack: AsyncDisposableStack

  private constructor(control: Control, pool: Embedding['pool'], stack: AsyncDisposableStack) {
    this.control = control
    this.firstAdmin = control.firstAdmin
    this.firstPool = pool
    this.#stack = stack
  }

  /**
   * @throws MaasError SERVER_BUSY, PORT_TAKEN, CATALOG_*, CA_INVALID, SERVER_KEY_INVALID,
   *   SEALED_INVALID, FS_NO_SPACE, FS_DENIED
   */
  static async start(config: ServerConfig, recent: RecentLog): Promise<Server> {
    checkPlain(config)
    await using stack = new AsyncDisposableStack()
    stack.use(DataLock.acquire(config.data))
    const names = namesOf(config)
    const software = readVersion()
    let pool: Embedding['pool']
    try {
      const control = await Control.start({
        directory: config.data,
        catalogUrl: catalogUrl(config),
        clock: systemClock,
        random: systemRandom,
        version: software,
        names,
        api: config.listen,
        plain: config.http,
        channel: config.channelListen,
        embed: async (security) => {
          const embedding = await embedRoles({ config, security, name: names[0]!, software, stack })
          pool = embedding.pool
          return embedding.parts
        },
        metricsPublic: config.metricsPublic,
        support: {
          settings: () => showSettings('server', config, { effective: true, redact: true }),
          logLines: () => recent.lines(),
        },
        consoleRoot: config.consoleRoot ?? BUILT_CONSOLE,
      })
      stack.use(control)
      return new Server(control, pool, stack.move())
    } catch (error) {
      throw explainStart(error)
    }
  }

  get describe() {
    return { url: this.control.url }
  }

  isAlive(): Promise<boolean> {
    return this.control.isAlive()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync()
  }
}

/** Passwords in the clear are for this machine alone. */
function checkPlain({ http, listen }: ServerConfig): void {
  if (!http || isLoopback(listen.host)) return
  const message = 'plain HTTP is for loopback; listen on 127.0.0.1 and put a proxy before it'
  throw new MaasError('CONFIG_INVALID', message, { place: '--http' })
}

/** The first is what hosts are told; all of them stand in the certificate. */
export function namesOf(config: ServerConfig): string[] {
  const { host } = config.channelListen
  const own = isWildcard(host) ? hostname() : host
  const names = [...config.names, own, 'localhost', '127.0.0.1', '::1', hostname()]
  if (!isWildcard(config.listen.host)) names.push(config.listen.host)
  return [...new Set(names)]
}

export /** A port in use comes out of three libraries in three forms. */
function explainStart(error: unknown): unknown {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const {
      code,
      port,
      address: at,
    } = cause as NodeJS.ErrnoException & {
      port?: number
      address?: string
    }
    const details = { ...(port !== undefined && { port }), ...(at !== undefined && { at }) }
    const place = `${at ?? ''}:${port ?? ''}`
    if (code === 'EADDRINUSE') {
      return new MaasError('PORT_TAKEN', `${place} is in use`, details, { cause: error })
    }
    if (code === 'EADDRNOTAVAIL') {
      const message = `${at ?? 'the address'} is not one of this machine`
      return new MaasError('CONFIG_INVALID', message, details, { cause: error })
    }
  }
  return error
}
