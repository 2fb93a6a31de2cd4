/** `openmaas catalog rebuild|export|import`: the catalog of a server that is not running. */
import { makeControlId } from '@openmaas/api/ids'
import { exportCatalog } from '@openmaas/control/catalog/export'
import { importCatalog } from '@openmaas/control/catalog/import'
import { rebuildCatalog } from '@openmaas/control/catalog/rebuild'
import { systemClock } from '@openmaas/kernel/clock'
import { configureLog } from '@openmaas/kernel/log'
import { systemRandom } from '@openmaas/kernel/random'
import path from 'node:path'
import { readPassphrase } from '../pool/passphrase.ts'
import type { Input } from '../program/input.ts'
import type { Site } from '../program/site.ts'
import { loadSettings } from '../serve/load-settings.ts'
import { NODE_NAME, openNodeOrders, withCatalog } from '../serve/offline-catalog.ts'
import type { ServerConfig } from '../serve/settings.ts'

/** Opening a pool replays its log. */
const ADOPT_TIMEOUT_MS = 600_000

function configOf(input: Input, site: Site): ServerConfig {
  const { config } = loadSettings('server', input, site)
  // Only what fails is of interest to whoever repairs a server.
  configureLog({ level: 'error', format: config.logFormat })
  return config
}

/** Pools named are taken into the node's care first: its own list may be lost too. */
export async function rebuild(input: Input, site: Site): Promise<void> {
  const { out, text, directory, signal } = site
  const config = configOf(input, site)
  const result = await withCatalog(config, async (catalog) => {
    await using orders = await openNodeOrders(config)
    const nodeId = makeControlId('host', systemClock, systemRandom)
    for (const pool of input.positionals) {
      const params = { path: path.resolve(directory, pool), passphrase: await readPassphrase(site) }
      const options = { key: `adopt:${pool}`, timeoutMs: ADOPT_TIMEOUT_MS, signal }
      await orders.order(nodeId, 'pool.adopt', params, options)
    }
    return await rebuildCatalog(catalog, orders, nodeId, {
      clock: systemClock,
      random: systemRandom,
      directory: config.data,
      nodeName: NODE_NAME,
      signal,
    })
  })
  if (out.json) {
    out.value(result)
    return
  }
  const { catalogCopy, ...counts } = result
  out.note(
    catalogCopy === null
      ? text('catalog.noCopy')
      : text('catalog.copy', { id: catalogCopy.snapshotId, rows: catalogCopy.rows }),
  )
  out.note(text('catalog.rebuilt', { ...counts }))
}

export async function exportTo(input: Input, site: Site): Promise<void> {
  const file = path.resolve(site.directory, input.positionals[0]!)
  const config = configOf(input, site)
  const { rows, bytes } = await withCatalog(config, (catalog) =>
    exportCatalog(catalog, file, site.signal),
  )
  if (site.out.json) site.out.value({ path: file, rows, bytes })
  else site.out.note(site.text('catalog.exported', { rows, path: file }))
}

export async function importFrom(input: Input, site: Site): Promise<void> {
  const file = path.resolve(site.directory, input.positionals[0]!)
  const config = configOf(input, site)
  const rows = await withCatalog(config, (catalog) => importCatalog(catalog, file))
  if (site.out.json) site.out.value({ path: file, rows })
  else site.out.note(site.text('catalog.imported', { rows }))
}
