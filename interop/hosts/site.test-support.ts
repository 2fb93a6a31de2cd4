/** A channel server with its catalog, and hosts that join it, in temporary directories. */
import { mkdirSync } from 'node:fs'
import { systemClock } from '@openmaas/kernel/clock'
import type { Clock } from '@openmaas/kernel/clock'
import { systemRandom } from '@openmaas/kernel/random'
import { join } from '@openmaas/agent/session/join'
import type { Identity } from '@openmaas/agent/session/identity'
import { AgentSession } from '@openmaas/agent/session/session'
import { openCatalog } from '@openmaas/control/catalog/catalog'
import type { Catalog } from '@openmaas/control/catalog/catalog'
import { CertificateAuthority } from '@openmaas/control/host/ca'
import { ChannelServer } from '@openmaas/control/host/channel-server'
import { Enrolment } from '@openmaas/control/host/enrolment'
import type { HostEvent } from '@openmaas/control/host/host-link'
import { HostRegistry } from '@openmaas/control/host/host-registry'
import { Orders } from '@openmaas/control/host/orders'
import type { OrderHandlers } from '@openmaas/protocols/channel/orders'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { waitFor } from '@openmaas/testkit/wait-for'

export interface ServerOptions {
  readonly address?: string
  readonly port?: number
  readonly clock?: Clock
}

/** One control server; `stop` and `start` again keep directory and port. */
export class Server {
  readonly directory: string
  readonly #options: ServerOptions
  readonly events: HostEvent[] = []
  catalog!: Catalog
  ca!: CertificateAuthority
  registry!: HostRegistry
  enrolment!: Enrolment
  orders!: Orders
  channel!: ChannelServer
  port: number

  constructor(directory: string, options: ServerOptions = {}) {
    this.directory = directory
    this.#options = options
    this.port = options.port ?? 0
  }

  get address(): string {
    return this.#options.address ?? '127.0.0.1'
  }

  get url(): string {
    return `https://${this.address}:${this.port}`
  }

  async start(): Promise<void> {
    const { clock = systemClock } = this.#options
    mkdirSync(this.directory, { recursive: true })
    this.catalog = await openCatalog({ url: `sqlite:${this.directory}/catalog.db`, clock })
    const { catalog, address } = this
    this.ca = await CertificateAuthority.open({
      directory: `${this.directory}/ca`,
      clock,
      names: [address],
    })
    const { ca } = this
    this.registry = new HostRegistry({ catalog, clock })
    this.enrolment = new Enrolment({ catalog, ca, clock, random: systemRandom })
    this.orders = new Orders({ clock })
    const { registry, enrolment, orders } = this
    const onEvent = (event: HostEvent): void => void this.events.push(event)
    const needs = { clock, ca, registry, enrolment, orders, onEvent }
    this.channel = await ChannelServer.listen({ host: address, port: this.port, ...needs })
    this.port = this.channel.port
  }

  async stop(): Promise<void> {
    await this.channel[Symbol.asyncDispose]()
    await this.orders[Symbol.asyncDispose]()
    await this.catalog[Symbol.asyncDispose]()
  }

  async makeToken(kind: 'agent' | 'node' = 'agent', lifetimeMs = 3600_000): Promise<string> {
    const wanted = { kind, labels: { site: 'test' }, createdBy: 'system', lifetimeMs }
    const made = await this.catalog.transaction((trx) => this.enrolment.makeToken(trx, wanted))
    return made.secret
  }

  async hostState(id: string): Promise<string> {
    const { db } = this.catalog
    const row = await db.selectFrom('host').select('state').where('id', '=', id).executeTakeFirst()
    return row?.state ?? 'none'
  }

  waitOnline(id: string): Promise<unknown> {
    return waitFor(`${id} is connected`, () => this.orders.isConnected(id))
  }
}

export class Site implements AsyncDisposable {
  readonly directory = new TemporaryDirectory()
  readonly server: Server
  readonly #sessions: AgentSession[] = []
  #count = 0

  private constructor(options: ServerOptions) {
    this.server = new Server(this.directory.join('server'), options)
  }

  static async start(options: ServerOptions = {}): Promise<Site> {
    const site = new Site(options)
    await site.server.start()
    return site
  }

  async joinHost(token?: string): Promise<{ identity: Identity; directory: string }> {
    this.#count += 1
    const directory = this.directory.join(`host-${this.#count}`)
    const identity = await join({
      url: this.server.url,
      token: token ?? (await this.server.makeToken()),
      fingerprint: this.server.ca.fingerprint,
      name: `host-${this.#count}`,
      kind: 'agent',
      software: '0.1.0',
      directory,
      clock: systemClock,
    })
    return { identity, directory }
  }

  openSession(
    host: { readonly identity: Identity; readonly directory: string },
    handlers: OrderHandlers,
    clock: Clock = systemClock,
  ): AgentSession {
    const common = { handlers, software: '0.1.0', clock, random: systemRandom }
    const session = new AgentSession({ ...host, ...common })
    this.#sessions.push(session)
    session.begin()
    return session
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const session of this.#sessions) await session[Symbol.asyncDispose]()
    await this.server.stop()
    this.directory.dispose()
  }
}
