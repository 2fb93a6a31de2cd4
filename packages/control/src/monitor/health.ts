/** What /readyz asks: is everything there that the server cannot do its work without? */
import { statfs } from 'node:fs/promises'
import { X509Certificate } from 'node:crypto'
import { MINUTE_MS } from '../policy/zone.ts'
import type { Catalog } from '../catalog/catalog.ts'

export interface DiskSpace {
  readonly sizeBytes: number
  readonly freeBytes: number
}

export interface NamedCertificate {
  readonly name: string
  readonly notAfter: number
}

/** SQLite needs room for its journal, and a log that cannot be written hides everything else. */
const DISK_FREE_MIN_BYTES = 64 * 1024 * 1024
/** The leader renews its lease every ten seconds, for thirty. */
const LEASE_STALE_MS = MINUTE_MS
/** This program is younger than that: a clock that says otherwise has lost its battery. */
const CLOCK_LEAST = Date.UTC(2026, 0, 1)
/** A clock that was set back by more than that gives new points an age that is not theirs. */
const CLOCK_BACK_MS = 5 * MINUTE_MS

export async function readDisk(directory: string): Promise<DiskSpace> {
  const { bsize, blocks, bavail } = await statfs(directory)
  return { sizeBytes: bsize * blocks, freeBytes: bsize * bavail }
}

/** @param pem of a listener of ours */
export function readCertificate(name: string, pem: string): NamedCertificate {
  return { name, notAfter: new X509Certificate(pem).validToDate.getTime() }
}

/** Name of the part → whether it is well. One that throws is not. */
export function makeHealthChecks(options: {
  readonly catalog: Catalog
  /** Of the server's own data; null: there is none. */
  readonly directory: string | null
}): Readonly<Record<string, () => Promise<boolean>>> {
  const { catalog, directory } = options
  return {
    catalog: async () => {
      await catalog.transaction(async (trx) => {
        await trx.updateTable('meta').set({ value: 'yes' }).where('key', '=', 'probe').execute()
      })
      return true
    },
    ...(directory !== null && {
      disk: async () => (await readDisk(directory)).freeBytes >= DISK_FREE_MIN_BYTES,
    }),
    scheduler: async () => {
      const lease = await catalog.db
        .selectFrom('lease')
        .select('until')
        .where('name', '=', 'scheduler')
        .executeTakeFirst()
      return lease !== undefined && catalog.clock.wallMs() - lease.until < LEASE_STALE_MS
    },
    clock: async () => {
      const now = catalog.clock.wallMs()
      const newest = await catalog.db
        .selectFrom('event')
        .select('at')
        .orderBy('seq', 'desc')
        .limit(1)
        .executeTakeFirst()
      return now >= CLOCK_LEAST && now >= (newest?.at ?? 0) - CLOCK_BACK_MS
    },
  }
}
