/**
 * Roles that live in the server's own process: hosts like any other, with a row, labels and
 * orders, but without a certificate or a channel. They are online for as long as the server is.
 */
import { hostname } from 'node:os'
import { makeControlId } from '@openmaas/api/ids'
import type { Clock } from '@openmaas/kernel/clock'
import type { Random } from '@openmaas/kernel/random'
import type { HostAbout } from '@openmaas/protocols/channel/frames'
import type { OrderHandlers } from '@openmaas/protocols/channel/orders'
import type { Catalog } from '../catalog/catalog.ts'
import { appendEvent } from '../catalog/events.ts'
import type { CatalogTables } from '../catalog/schema.ts'
import { chooseName, findWaiting } from './host-repository.ts'
import type { HostKind } from './host-repository.ts'
import type { HostRegistry } from './host-registry.ts'
import type { Orders } from './orders.ts'

export interface EmbeddedRole {
  readonly kind: HostKind
  readonly handlers: OrderHandlers
  readonly about: HostAbout
  readonly software: string
  /** For a node: where agents on other machines reach its data port. */
  readonly dataAddress: string | null
  readonly nbdAddress?: string | null
}

export interface EmbedDeps {
  readonly catalog: Catalog
  readonly clock: Clock
  readonly random: Random
  readonly registry: HostRegistry
  readonly orders: Orders
}

/** In the catalog under this key stands which host that role is. */
const keyOf = (kind: HostKind): string => `embedded.${kind}`

/** @returns the host's id, the same at every start on this catalog */
export async function embedRole(deps: EmbedDeps, role: EmbeddedRole): Promise<string> {
  const { catalog, clock, orders, registry } = deps
  const hostId = await catalog.transaction(async (trx) => {
    const known = await trx
      .selectFrom('meta')
      .innerJoin('host', 'host.id', 'meta.value')
      .select(['host.id', 'host.labelsJson'])
      .where('meta.key', '=', keyOf(role.kind))
      .executeTakeFirst()
    const now = clock.wallMs()
    const fresh = {
      state: 'online' as const,
      softwareVersion: role.software,
      aboutJson: JSON.stringify({ ...role.about, nbdAddress: role.nbdAddress ?? null }),
      dataAddress: role.dataAddress,
      lastSeenAt: now,
      clockSkewMs: 0,
    }
    if (known !== undefined) {
      await trx.updateTable('host').set(fresh).where('id', '=', known.id).execute()
      return known.id
    }
    const suffix = role.kind === 'node' ? '-node' : ''
    const wanted = `${hostname()}${suffix}`
    // After `catalog rebuild` sources belong to a host that is known by its name only.
    const waiting = await findWaiting(trx, { kind: role.kind, name: wanted })
    const id = waiting?.id ?? makeControlId('host', clock, deps.random)
    const name = waiting?.name ?? (await chooseName(trx, wanted))
    const row: CatalogTables['host'] = {
      ...fresh,
      id,
      name,
      kind: role.kind,
      labelsJson: '{}',
      drained: 0,
      certificateSerial: null,
      certificateNotAfter: null,
      createdAt: now,
      version: 1,
    }
    if (waiting === undefined) await trx.insertInto('host').values(row).execute()
    else await trx.updateTable('host').set(fresh).where('id', '=', id).execute()
    await trx
      .insertInto('meta')
      .values({ key: keyOf(role.kind), value: id })
      .onConflict((conflict) => conflict.column('key').doUpdateSet({ value: id }))
      .execute()
    const data = { name, kind: role.kind, embedded: true }
    const event = { topic: 'hosts', type: 'host.joined', subject: id, labels: {}, data } as const
    await appendEvent(trx, event, clock)
    return id
  })
  orders.embed(hostId, role.handlers)
  registry.embed(hostId)
  return hostId
}
