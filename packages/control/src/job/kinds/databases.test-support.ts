/**
 * Databases on the hosts of hosts.test-support.ts: a volume holds what production had committed
 * when it was frozen, an instance what its clone held; ports and mounts are counted, so that a
 * test sees what was left behind. Orders may be repeated, as real plug-ins allow.
 */
import { MaasError } from '@openmaas/kernel/errors'
import type { Params, Result, Verb } from '@openmaas/protocols/channel/orders'
import type { Catalog } from '../../catalog/catalog.ts'
import type { FakeHosts } from './hosts.test-support.ts'
import { addSourceDatabase } from '../../http/database.test-support.ts'
import { mountPathOf } from './database-media.ts'

interface Instance {
  readonly hostId: string
  readonly id: string
  readonly directory: string
  readonly port: number
  readonly password: string
  readonly follow: boolean
  readonly paused: boolean
  readonly asProduction: boolean
}

const FIRST_PORT = 20_000

export class FakeDatabases {
  readonly #hosts: FakeHosts
  /** Standby, by id of its source. */
  readonly following = new Map<string, string>()
  readonly seeded = new Set<string>()
  readonly instances = new Map<string, Instance>()
  /** Activations that found no log behind their clone: snapshots that fail so. */
  readonly unreachable = new Set<string>()
  /** Volume → bytes of its disk, once it has grown. */
  readonly sizes = new Map<string, number>()
  /** Room on every volume, as agents tell it. */
  room: Result<'database.status'>['volume']
  /** Why every chain is broken. */
  brokenBy = ''
  identity = '7'
  checkOk = true
  verifyOk = true
  /** Nobody answers where it was. */
  productionGone = false
  /** Local directories that a copy was made to, by whose it is. */
  readonly directories = new Map<string, string>()
  /** Production's clock against the host's, by source; not measured where it is not here. */
  readonly clocks = new Map<string, { readonly offsetMs: number; readonly errorMs: number }>()
  /** Mount points whose file system takes no writes until it is mounted anew. */
  readonly readOnly = new Set<string>()
  /** Slots that production keeps. */
  readonly slots = new Set<string>()

  constructor(hosts: FakeHosts) {
    this.#hosts = hosts
  }

  result(hostId: string, verb: Verb, params: unknown): unknown {
    switch (verb) {
      case 'volume.create': {
        const { requestId } = params as Params<'volume.create'>
        const tags = {}
        return { snapshotId: this.#hosts.store(stored('', `volume:${requestId}`, tags)).snapshotId }
      }
      case 'medium.freeze':
        this.#medium((params as Params<'medium.freeze'>).mediumId)
        return { frozenAt: this.#hosts.clock.wallMs() }
      case 'medium.seal':
        return this.#seal(params as Params<'medium.seal'>)
      case 'medium.grow': {
        const { mediumId, sizeBytes } = params as Params<'medium.grow'>
        this.#medium(mediumId)
        this.sizes.set(mediumId, sizeBytes)
        return { sizeBytes }
      }
      case 'database.check':
        return this.#check()
      case 'database.seed':
        this.#mounted(hostId, (params as Params<'database.seed'>).directory)
        this.seeded.add((params as Params<'database.seed'>).id)
        if ((params as Params<'database.seed'>).renew !== undefined) this.brokenBy = ''
        return { version: '15.1', sizeBytes: 1000, position: { position: '0/1', detail: '1' } }
      case 'database.follow': {
        const { id, directory } = params as Params<'database.follow'>
        this.#mounted(hostId, directory)
        if (!this.seeded.has(id)) throw new MaasError('DATABASE_NOT_SEEDED', 'not seeded')
        this.following.set(id, directory)
        return this.#status(id)
      }
      case 'database.status':
        return this.#status((params as Params<'database.status'>).id)
      case 'database.mark':
        return this.#mark(params as Params<'database.mark'>)
      case 'database.unfollow': {
        const { id, directory, forget } = params as Params<'database.unfollow'>
        if (forget && this.productionGone) {
          const details = { left: `replication slot openmaas_${id}`, remedy: 'SELECT drop' }
          throw new MaasError('DATABASE_UNREACHABLE', 'nobody answers', details)
        }
        this.following.delete(id)
        this.instances.delete(directory)
        if (forget) this.slots.delete(id)
        return {}
      }
      case 'database.relocate':
        return this.#relocate(params as Params<'database.relocate'>)
      case 'database.discard':
        return {
          removed: this.directories.delete((params as Params<'database.discard'>).directory),
        }
      case 'database.activate':
        return this.#activate(hostId, params as Params<'database.activate'>)
      case 'database.deactivate':
        return { stopped: this.#stop(params as Params<'database.deactivate'>) }
      case 'database.verify':
        return {
          ok: this.verifyOk,
          checks: [{ name: 'pg_amcheck', ok: this.verifyOk, evidence: 'x', tookMs: 5 }],
        }
      default:
        throw new Error(`no ${verb} here`)
    }
  }

  #mark({ id }: Params<'database.mark'>): Result<'database.mark'> {
    const atMs = this.#hosts.clock.wallMs()
    const isKnown = this.following.has(id) || [...this.instances.values()].some((i) => i.id === id)
    if (!isKnown) throw new MaasError('DATABASE_BEHIND', 'nothing follows')
    const position = { position: `0/${atMs.toString(16)}`.slice(0, 10), detail: '1' }
    const consistency = 'application' as const
    const clock = this.clocks.get(id)
    const known = { atMs, position, consistency, logFromMs: null, prunedBytes: 0 }
    return clock === undefined ? known : { ...known, clock }
  }

  #seal({ requestId, tags, lockUntil, mediumId }: Params<'medium.seal'>): unknown {
    this.#medium(mediumId)
    const sourceId = tags['openmaas.source'] ?? ''
    const row = this.#hosts.store({ ...stored(sourceId, requestId, tags), lockUntil })
    return {
      snapshotId: row.snapshotId,
      kind: 'volume',
      takenAt: row.takenAt,
      sizeBytes: 1000,
      addedBytes: 10,
      readBytes: 20,
      itemCount: 0,
      warningCount: 0,
      warnings: [],
      waits: {},
    }
  }

  #check(): Result<'database.check'> {
    if (this.productionGone) throw new MaasError('DATABASE_UNREACHABLE', 'nobody answers')
    const message = this.checkOk ? '' : 'wal_level is minimal'
    const remedy = this.checkOk ? '' : "ALTER SYSTEM SET wal_level = 'replica'"
    const checks = [{ name: 'wal-level', ok: this.checkOk, message, remedy }]
    return { version: '15.1', sizeBytes: 1000, identity: this.identity, checks }
  }

  #status(id: string): Result<'database.status'> {
    const isBroken = this.brokenBy !== ''
    const live = [...this.instances.values()].some((each) => each.id === id && each.follow)
    const isFollowing = (live || this.following.has(id)) && !isBroken && this.room?.full !== true
    return {
      state: isBroken ? 'broken' : isFollowing ? 'following' : 'stopped',
      reason: isBroken ? this.brokenBy : this.room?.full === true ? 'the volume is full' : '',
      mustReseed: isBroken,
      received: null,
      applied: null,
      lagBytes: 0,
      lagMs: 0,
      retainedBytes: 0,
      retainedLimitBytes: 1000,
      logBytes: 0,
      ...(this.room !== undefined && { volume: this.room }),
    }
  }

  #activate(hostId: string, params: Params<'database.activate'>): Result<'database.activate'> {
    const { id, directory, port: wanted, password } = params
    const isMoved = this.directories.get(directory) === id
    if (!isMoved) {
      for (const each of [directory, ...params.logDirectories]) this.#mounted(hostId, each)
      const mediumId = directory.slice(directory.lastIndexOf('/') + 1)
      if (this.unreachable.has(this.#medium(mediumId).snapshotId)) {
        throw new MaasError('DATABASE_TARGET_UNREACHABLE', 'the log ends before the target')
      }
    }
    const elsewhere = [...this.instances.values()].find((each) => each.id === id)
    if (elsewhere !== undefined && elsewhere.directory !== directory) {
      throw new MaasError('DATABASE_RUNNING', `it runs on ${elsewhere.directory}`)
    }
    const taken = new Set([...this.instances.values()].map((each) => each.port))
    const own = this.instances.get(directory)
    let port = own?.port ?? wanted ?? FIRST_PORT
    if (own === undefined && wanted !== null && taken.has(wanted)) {
      throw new MaasError('PORT_TAKEN', 'the port is in use', { port: wanted })
    }
    while (own === undefined && wanted === null && taken.has(port)) port += 1
    const follow = params.follow !== null && params.follow !== undefined
    if (follow) this.slots.add(id)
    const { paused = false, asProduction = false } = params
    const how = { follow, paused, asProduction }
    this.instances.set(directory, { hostId, id, directory, port, password, ...how })
    return {
      pid: 1,
      version: '15.1',
      port,
      socket: '/run',
      recoveredTo: { position: '0/2', detail: '1', timeMs: null },
      databases: ['app'],
    }
  }

  #relocate(params: Params<'database.relocate'>): Result<'database.relocate'> {
    const { id, directory, to, phase } = params
    if (phase === 'finish') this.instances.delete(directory)
    this.directories.set(to, id)
    const stoppedMs = phase === 'finish' ? 120 : 0
    return { sizeBytes: 1000, writtenBytes: 1000, passes: 1, stoppedMs }
  }

  #stop({ directory }: Params<'database.deactivate'>): boolean {
    return this.instances.delete(directory)
  }

  #medium(mediumId: string) {
    const served = this.#hosts.served.get(mediumId)
    if (served === undefined) throw new MaasError('MEDIUM_NOT_FOUND', 'no such medium')
    return served
  }

  #mounted(hostId: string, directory: string): void {
    const isMounted = [...this.#hosts.attached.keys()].some((id) => mountPathOf(id) === directory)
    if (isMounted && !this.readOnly.has(directory)) return
    throw new MaasError('MEDIUM_MOUNT_LOST', `nothing at ${directory} of ${hostId}`)
  }
}

const stored = (sourceId: string, requestId: string, tags: Record<string, string>) => ({
  sourceId,
  requestId,
  tags,
  lockUntil: null,
})

/** A source of kind postgres, beside what addSource makes. */
export async function addDatabase(
  catalog: Catalog,
  sourceId: string,
  more: { readonly selfService?: 'off' | 'approval' | 'on' } = {},
): Promise<void> {
  const path = { path: 'db:5432' }
  await catalog.db.updateTable('source').set(path).where('id', '=', sourceId).execute()
  const engine = { engineVersion: '', secretId: 'sec_1', retainedLimitBytes: 1000 }
  await addSourceDatabase(catalog, sourceId, { ...engine, ...more })
}

/** The row as a request makes it. */
export async function addVirtualDatabase(
  catalog: Catalog,
  id: string,
  of: { readonly sourceId: string; readonly hostId: string; readonly poolId: string },
): Promise<void> {
  const now = catalog.clock.wallMs()
  await catalog.db
    .insertInto('virtualDatabase')
    .values({
      ...of,
      id,
      name: id,
      engine: 'postgres',
      engineVersion: '',
      parentId: null,
      pointId: null,
      bookmarkId: null,
      targetJson: '{"kind":"point"}',
      nodeId: '',
      mediumId: null,
      state: 'creating',
      dataAt: null,
      position: null,
      address: null,
      port: null,
      userName: 'openmaas',
      secretId: `sec_${id}`,
      databasesJson: '[]',
      listenJson: '["127.0.0.1"]',
      settingsJson: '{}',
      leaseUntil: null,
      quotaBytes: null,
      writtenBytes: null,
      autoRefreshJson: null,
      nextRefreshAt: null,
      lastRefreshAt: null,
      liveSync: 0,
      kept: 0,
      directory: null,
      purpose: '',
      labelsJson: '{}',
      createdBy: 'user:usr_1',
      createdAt: now,
      readyAt: null,
      endedAt: null,
      problemJson: null,
      version: 1,
    })
    .execute()
}
