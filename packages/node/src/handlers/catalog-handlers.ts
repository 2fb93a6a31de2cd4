/** The catalog's copy in the pool: a file becomes a snapshot of its own. */
import path from 'node:path'
import { captureTree } from '@openmaas/agent/capture/capture-tree'
import type { OrderHandlers } from '@openmaas/protocols/channel/orders'
import { MaasError } from '@openmaas/kernel/errors'
import type { Node } from '../node.ts'
import { CATALOG_TAG } from '../snapshot-catalog.ts'

/** The source's name, by which the newest copy is found again. */
export const CATALOG_SOURCE = 'openmaas-catalog'

export function makeCatalogHandlers(node: Node): Required<Pick<OrderHandlers, 'catalog.store'>> {
  return {
    'catalog.store': async ({ poolId, path: file }, { signal }) => {
      const { pool } = await node.pool(poolId)
      if (!path.isAbsolute(file))
        throw new MaasError('USAGE', 'the path is absolute', { path: file })
      const name = path.basename(file)
      const captured = await captureTree({
        pool,
        path: path.dirname(file),
        name: CATALOG_SOURCE,
        tags: { [CATALOG_TAG]: name },
        rules: { exclude: ['*'], include: [`/${escapePattern(name)}`] },
        lanes: 1,
        signal,
      })
      if (captured.progress.files !== 1 || captured.warningCount > 0) {
        await pool.deleteSnapshot(captured.snapshot.id)
        throw new MaasError('PATH_NOT_FOUND', `${file} cannot be read`, { path: file })
      }
      return { snapshotId: captured.snapshot.id, bytes: captured.progress.bytes }
    },
  }
}

function escapePattern(name: string): string {
  return name.replaceAll(/[\\*?[\]!]/g, String.raw`\$&`)
}
