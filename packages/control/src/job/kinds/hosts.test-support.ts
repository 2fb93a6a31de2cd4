/**
 * Hosts and nodes for tests of whole kinds of jobs: they keep snapshots and media in memory, take
 * the time that the test says, by its clock, and answer a key they know with what they did.
 */
import { MaasError } from '@openmaas/kernel/errors'
import type { ErrorCode } from '@openmaas/kernel/errors'
import type { Clock } from '@openmaas/kernel/clock'
import type { SeededRandom } from '@openmaas/kernel/random'
import { STANDING_VERBS } from '@openmaas/protocols/channel/orders'
import type { OrderGiver, Params, Result, Verb } from '@openmaas/protocols/channel/orders'
import { mountPathOf } from './database-media.ts'
import { FakeDatabases } from './databases.test-support.ts'
import { policySpec } from '@openmaas/api/policy'
import type { PolicySpecInput } from '@openmaas/api/policy'
import type { Catalog } from '../../catalog/catalog.ts'

export interface StoredSnapshot {
  readonly snapshotId: string
  readonly sourceId: string
  readonly requestId: string
  readonly takenAt: number
  readonly lockUntil: number | null
  readonly tags: Record<string, string>
}

interface Order {
  readonly hostId: string
  readonly verb: Verb
  readonly params: unknown
  readonly dueMs: number
  answer?: { readonly result?: unknown; readonly error?: MaasError }
  readonly waiting: (() => void)[]
}

export class FakeHosts implements OrderGiver {
  readonly #clock: Clock
  readonly #orders = new Map<string, Order>()
  readonly snapshots = new Map<string, StoredSnapshot>()
  /** Media that take no more writes, and why. */
  readonly full = new Map<string, 'quota' | 'disk'>()
  readonly served = new Map<string, Params<'medium.serve'>>()
  readonly attached = new Map<string, Params<'medium.attach'>>()
  readonly offline = new Set<string>()
  /** Asked for each order before it is done; an answer fails it. */
  fail: (verb: Verb, params: unknown) => ErrorCode | undefined = () => undefined
  captureMs = 0
  /** Orders given, by verb. */
  readonly counts = new Map<Verb, number>()
  #snapshotCount = 0
  readonly databases = new FakeDatabases(this)

  constructor(clock: Clock) {
    this.#clock = clock
  }

  isConnected(hostId: string): boolean {
    return !this.offline.has(hostId)
  }

  async order<V extends Verb>(
    hostId: string,
    verb: V,
    params: Params<V>,
    options: Parameters<OrderGiver['order']>[3],
  ): Promise<Result<V>> {
    if (this.offline.has(hostId)) throw new MaasError('HOST_OFFLINE', 'not connected', { hostId })
    const { key, signal } = options
    let order = this.#orders.get(key)
    if (order === undefined) {
      this.counts.set(verb, (this.counts.get(verb) ?? 0) + 1)
      const durationMs = verb === 'source.capture' ? this.captureMs : 0
      const dueMs = this.#clock.monotonicMs() + durationMs
      order = { hostId, verb, params, dueMs, waiting: [] }
      this.#orders.set(key, order)
    }
    const { waiting } = order
    await new Promise<void>((resolve) => {
      waiting.push(resolve)
      signal?.addEventListener('abort', () => {
        order.answer ??= { error: new MaasError('CANCELLED', 'the order was cancelled') }
        this.tick()
      })
      this.tick()
    })
    const { answer } = order
    const isKept = answer?.error === undefined && !STANDING_VERBS.has(verb)
    if (!isKept && this.#orders.get(key) === order) this.#orders.delete(key)
    if (answer?.error !== undefined) throw answer.error
    return answer?.result as Result<V>
  }

  /** Does what is due by now. */
  tick(): void {
    for (const order of this.#orders.values()) {
      if (order.answer === undefined && this.#clock.monotonicMs() >= order.dueMs) this.#do(order)
      if (order.answer !== undefined) for (const resolve of order.waiting.splice(0)) resolve()
    }
  }

  #do(order: Order): void {
    const code = this.fail(order.verb, order.params)
    if (code !== undefined) {
      order.answer = { error: new MaasError(code, `${order.verb} failed`) }
      return
    }
    try {
      order.answer = { result: this.#result(order) }
    } catch (error) {
      if (!(error instanceof MaasError)) throw error
      order.answer = { error }
    }
  }

  #result({ hostId, verb, params }: Order): unknown {
    switch (verb) {
      case 'source.capture':
        return this.#capture(params as Params<'source.capture'>)
      case 'pool.delete':
        return this.#delete(params as Params<'pool.delete'>)
      case 'pool.snapshots':
        return { snapshots: this.#list(), more: false }
      case 'medium.serve': {
        const serve = params as Params<'medium.serve'>
        this.served.set(serve.mediumId, serve)
        const device = serve.local === null ? null : '/dev/loop1'
        const mountPath = serve.local?.mountPath ?? null
        const poolMediumId = `pool-${serve.mediumId}`
        return { poolMediumId, device, mountPath, exportName: serve.mediumId }
      }
      case 'medium.attach': {
        const attach = params as Params<'medium.attach'>
        const known = this.served.get(attach.mediumId)
        if (known === undefined) throw new MaasError('NBD_EXPORT_UNKNOWN', 'not served')
        this.attached.set(attach.mediumId, attach)
        return { device: '/dev/loop2', mountPath: attach.mountPath }
      }
      case 'medium.detach': {
        const { mediumId } = params as Params<'medium.detach'>
        this.databases.readOnly.delete(mountPathOf(mediumId))
        return { detached: this.attached.delete(mediumId) }
      }
      case 'medium.limit':
        return {}
      case 'medium.resize': {
        const { mediumId } = params as Params<'medium.resize'>
        return { sizeBytes: this.databases.sizes.get(mediumId) ?? 0 }
      }
      case 'medium.withdraw':
        return { withdrawn: this.served.delete((params as Params<'medium.withdraw'>).mediumId) }
      case 'medium.served':
        return {
          media: [...this.served.keys()].map((id) => {
            const full = this.full.get(id)
            return { ...mediumOf(id), ...(full !== undefined && { full }) }
          }),
        }
      case 'medium.attached':
        return {
          media: [...this.attached.keys()].map((id) => mediumOf(id)),
          mounts: [...this.attached.keys()].map((id) => {
            const path = mountPathOf(id)
            return { path, why: this.databases.readOnly.has(path) ? 'takes no writes' : null }
          }),
        }
      case 'pool.check':
        return { problems: [], checkedBytes: 1000 }
      case 'pool.gc':
        return { freedBytes: 5, condemned: 1, waiting: 0 }
      case 'pool.create':
        return { poolId: 'pol_new', passphrase: 'correct horse' }
      case 'catalog.store':
        return { snapshotId: 'snp_catalog', bytes: 100 }
      case 'point.restore':
        return { files: 3, bytes: 30, warningCount: 0, warnings: [] }
      case 'host.discover':
        return { items: [{ kind: 'files', path: '/', sizeBytes: 1, detail: 'ext4' }] }
      default:
        return this.databases.result(hostId, verb, params)
    }
  }

  get clock(): Clock {
    return this.#clock
  }

  /** Again for the same request: the same one. */
  store(of: Pick<StoredSnapshot, 'sourceId' | 'requestId' | 'lockUntil' | 'tags'>): StoredSnapshot {
    const known = [...this.snapshots.values()].find((each) => each.requestId === of.requestId)
    if (known !== undefined) return known
    this.#snapshotCount += 1
    const snapshotId = `snp_${String(this.#snapshotCount).padStart(8, '0')}`
    const row = { ...of, snapshotId, takenAt: this.#clock.wallMs() }
    this.snapshots.set(snapshotId, row)
    return row
  }

  #capture(params: Params<'source.capture'>): Result<'source.capture'> {
    const { requestId, sourceId, lockUntil, tags } = params
    const row = this.store({ sourceId, requestId, lockUntil, tags })
    return {
      snapshotId: row.snapshotId,
      kind: 'tree',
      takenAt: row.takenAt,
      sizeBytes: 1000,
      addedBytes: 10,
      readBytes: 20,
      itemCount: 3,
      warningCount: 0,
      warnings: [],
      waits: { source: 1, network: 2, pool: 3, cpu: 4 },
    }
  }

  #delete({ snapshotIds }: Params<'pool.delete'>): Result<'pool.delete'> {
    const deleted = snapshotIds.filter((id) => this.snapshots.delete(id))
    const missing = snapshotIds.filter((id) => !deleted.includes(id))
    const code = 'SNAPSHOT_NOT_FOUND'
    return { deleted, refused: missing.map((snapshotId) => ({ snapshotId, code })) }
  }

  #list(): unknown[] {
    return [...this.snapshots.values()].map((row) => ({
      ...row,
      kind: 'tree',
      sizeBytes: 1000,
      addedBytes: 10,
      itemCount: 3,
      warningCount: 0,
      tags: {
        ...row.tags,
        'openmaas.source': row.sourceId,
        'openmaas.request': row.requestId,
      },
    }))
  }
}

const mediumOf = (mediumId: string) => ({
  mediumId,
  poolMediumId: `pool-${mediumId}`,
  device: null,
  mountPath: null,
  state: 'plugged',
})

// ── rows ───────────────────────────────────────────────────────────────────

const NOW = Date.UTC(2026, 0, 1)

export async function addHost(catalog: Catalog, id: string, kind: 'agent' | 'node'): Promise<void> {
  await catalog.db
    .insertInto('host')
    .values({
      id,
      name: id,
      kind,
      labelsJson: '{}',
      state: 'online',
      drained: 0,
      softwareVersion: '1',
      aboutJson: '{}',
      dataAddress: null,
      certificateSerial: null,
      certificateNotAfter: null,
      lastSeenAt: NOW,
      clockSkewMs: 0,
      createdAt: NOW,
      version: 1,
    })
    .execute()
}

export async function addPool(catalog: Catalog, id: string, nodeId: string): Promise<void> {
  await catalog.db
    .insertInto('pool')
    .values({
      id,
      name: id,
      nodeId,
      path: '/pool',
      labelsJson: '{}',
      state: 'online',
      statsJson: '{"freeBytes":1000}',
      seenAt: NOW,
      createdAt: NOW,
      version: 1,
    })
    .execute()
}

export async function addSource(
  catalog: Catalog,
  id: string,
  hostId: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<void> {
  await catalog.db
    .insertInto('source')
    .values({
      id,
      name: id,
      hostId,
      kind: 'files',
      path: '/data',
      optionsJson: '{}',
      labelsJson: JSON.stringify(labels),
      policyId: null,
      poolId: null,
      paused: 0,
      lastSuccessAt: null,
      lastPointId: null,
      createdAt: catalog.clock.wallMs(),
      version: 1,
    })
    .execute()
}

export async function addPolicy(
  catalog: Catalog,
  id: string,
  spec: PolicySpecInput,
  selector: Readonly<Record<string, string>> | null = {},
): Promise<void> {
  await catalog.db
    .insertInto('policy')
    .values({
      id,
      name: id,
      selectorJson: selector === null ? null : JSON.stringify(selector),
      priority: 0,
      specJson: JSON.stringify(policySpec.parse(spec)),
      enabled: 1,
      createdAt: catalog.clock.wallMs(),
      version: 1,
    })
    .execute()
}

export async function addMedium(
  catalog: Catalog,
  id: string,
  of: {
    readonly pointId: string
    readonly sourceId: string
    readonly poolId: string
    readonly nodeId: string
    readonly hostId: string
    readonly protocol: 'local' | 'nbd'
    readonly leaseUntil?: number
    readonly mountPath?: string
  },
): Promise<void> {
  const { mountPath = '/mnt', leaseUntil = null, ...rest } = of
  await catalog.db
    .insertInto('medium')
    .values({
      ...rest,
      id,
      name: id,
      readOnly: 1,
      mountPath,
      device: null,
      state: 'plugging',
      purpose: '',
      leaseUntil,
      quotaBytes: null,
      bytesPerSecond: null,
      poolMediumId: null,
      labelsJson: '{}',
      createdBy: 'user:usr_1',
      createdAt: catalog.clock.wallMs(),
      endedAt: null,
      problemJson: null,
      version: 1,
    })
    .execute()
}

/** One order of many fails, by the seed. */
export function failSometimes(random: SeededRandom, oneIn: number, codes: readonly ErrorCode[]) {
  return (): ErrorCode | undefined =>
    random.below(oneIn) === 0 ? codes[random.below(codes.length)] : undefined
}
