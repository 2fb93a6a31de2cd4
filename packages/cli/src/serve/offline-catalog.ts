/**
 * The catalog of a server that is not running, and its node's pools: for `openmaas catalog …`.
 * The lock of the data directory keeps the server away meanwhile.
 */
import { hostname } from 'node:os'
import path from 'node:path'
import { openCatalog } from '@openmaas/control/catalog/catalog'
import type { Catalog } from '@openmaas/control/catalog/catalog'
import { systemClock } from '@openmaas/kernel/clock'
import { MaasError } from '@openmaas/kernel/errors'
import { makeLog } from '@openmaas/kernel/log'
import { makeNodeHandlers } from '@openmaas/node/handlers'
import { Node } from '@openmaas/node/node'
import { ORDERS } from '@openmaas/protocols/channel/orders'
import type { OrderGiver, Params, Result, Verb } from '@openmaas/protocols/channel/orders'
import { catalogUrl } from './catalog-url.ts'
import { DataLock } from './data-lock.ts'
import type { ServerConfig } from './settings.ts'

const log = makeLog('openmaas:catalog')

/** As the embedded node of this machine is named: control/host/embedded.ts. */
export const NODE_NAME = `${hostname()}-node`

/** Runs with the catalog of that configuration, which is made when it is missing. */
export async function withCatalog<T>(
  config: ServerConfig,
  work: (catalog: Catalog) => Promise<T>,
): Promise<T> {
  using _ = DataLock.acquire(config.data)
  await using catalog = await openCatalog({ url: catalogUrl(config), clock: systemClock })
  return await work(catalog)
}

/** Orders to the node of that data directory, as if it were connected. */
export async function openNodeOrders(config: ServerConfig): Promise<OrderGiver & AsyncDisposable> {
  const directory = path.join(config.data, 'node')
  const onProblem = (error: Error): void => log.error('failed', { error })
  const node = await Node.open({ directory, clock: systemClock, onProblem })
  return new NodeOrders(node)
}

class NodeOrders implements OrderGiver, AsyncDisposable {
  readonly #node: Node
  readonly #handlers: ReturnType<typeof makeNodeHandlers>

  constructor(node: Node) {
    this.#node = node
    this.#handlers = makeNodeHandlers(node)
  }

  async order<V extends Verb>(
    _hostId: string,
    verb: V,
    params: Params<V>,
    options: { readonly signal?: AbortSignal },
  ): Promise<Result<V>> {
    const handler = (this.#handlers as Readonly<Record<string, unknown>>)[verb] as
      | ((params: unknown, context: object) => Promise<Result<V>>)
      | undefined
    if (handler === undefined) {
      throw new MaasError('ORDER_UNKNOWN', `a node does not know ${verb}`, { verb })
    }
    const { signal = new AbortController().signal } = options
    return handler(ORDERS[verb].params.parse(params), { signal, progress: () => undefined })
  }

  isConnected(): boolean {
    return true
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#node[Symbol.asyncDispose]()
  }
}
