/** For the tests of the node: a node with a pool in a temporary directory, orders without a wire. */
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import type {
  CheckedParams,
  OrderHandlers,
  Params,
  Result,
} from '@openmaas/protocols/channel/orders'
import { ORDERS } from '@openmaas/protocols/channel/orders'
import { makeNodeHandlers, type NodeVerb } from './handlers.ts'
import type { LocalPools } from './local-pools.ts'
import { makeLocalPools } from './local-pools.ts'
import type { MediumExports } from './medium-exports.ts'
import { Node } from './node.ts'

export class NodeSite implements AsyncDisposable {
  readonly files = new TemporaryDirectory({ inMemory: true })
  node!: Node
  exports: MediumExports | undefined
  poolId = ''

  static async make(): Promise<NodeSite> {
    const site = new NodeSite()
    site.node = await Node.open({ directory: site.files.join('node') })
    const made = await site.order('pool.create', {
      bricks: [site.files.join('pool')],
      redundancy: 'single',
    })
    site.poolId = made.poolId
    return site
  }

  /** As a crash and a start again, without the crash. */
  async restart(): Promise<void> {
    await this.node.close()
    this.node = await Node.open({ directory: this.files.join('node') })
  }

  order<V extends NodeVerb>(
    verb: V,
    params: Params<V>,
    signal = new AbortController().signal,
  ): Promise<Result<V>> {
    const handlers = makeNodeHandlers(this.node, this.exports) as OrderHandlers
    const handler = handlers[verb]! as (
      params: CheckedParams<V>,
      context: { signal: AbortSignal; progress: () => void },
    ) => Promise<Result<V>>
    const checked = ORDERS[verb].params.parse(params) as CheckedParams<V>
    return handler(checked, { signal, progress: () => undefined })
  }

  get local(): LocalPools {
    return makeLocalPools(this.node)
  }

  capture(
    path: string,
    more: Partial<Params<'source.capture'>> = {},
    signal = new AbortController().signal,
  ): Promise<Result<'source.capture'>> {
    const params = ORDERS['source.capture'].params.parse({ ...this.captureParams(path), ...more })
    return this.local.capture(params, { signal, progress: () => undefined })
  }

  captureParams(path: string): Params<'source.capture'> {
    return {
      sourceId: 'src_1',
      sourceName: 'etc',
      kind: 'files',
      path,
      rules: {},
      target: { kind: 'local', poolId: this.poolId },
      parentSnapshotId: null,
      requestId: 'r1',
      tags: {},
      lockUntil: null,
      bytesPerSecond: null,
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.exports?.close()
    await this.node.close()
    this.files.dispose()
  }
}
