/** What every job about a virtual database is asked by. */
import { z } from 'zod'
import type { CatalogTables } from '../../catalog/schema.ts'
import type { ErrorMessage } from '@openmaas/kernel/error-message'
import type { Selectable } from 'kysely'
import type { JobRequest } from '../queue.ts'
import { momentParams } from './clone-steps.ts'

type Row = Selectable<CatalogTables['virtualDatabase']>

/** Before backups that wait: a person does. */
const PRIORITY = 100

/** What a clone is made of: a moment of the source, or a bookmark. */
export const cloneOf = z.union([
  z.object({ moment: momentParams }),
  z.object({ bookmarkId: z.string() }),
])
export type CloneOf = z.infer<typeof cloneOf>

export function virtualDatabaseRequest(
  kind: string,
  row: Pick<Row, 'id' | 'sourceId' | 'hostId' | 'nodeId' | 'poolId' | 'labelsJson'>,
  more: {
    readonly actor: string
    readonly params?: Readonly<Record<string, unknown>>
    readonly dependsOn?: readonly string[]
  },
): JobRequest {
  const { id, sourceId, hostId, nodeId, poolId, labelsJson } = row
  return {
    kind,
    params: { virtualDatabaseId: id, hostId, ...more.params },
    actor: more.actor,
    priority: PRIORITY,
    // Of one bookmark: several may be wanted at once.
    activeKey: [kind, id, more.params?.['bookmarkId']].filter(Boolean).join(':'),
    ...(more.dependsOn !== undefined && { dependsOn: more.dependsOn }),
    virtualDatabaseId: id,
    sourceId,
    hostId,
    nodeId,
    poolId,
    labels: JSON.parse(labelsJson) as Record<string, string>,
  }
}

/** Jobs about the same one go one after the other. */
export const slotsOf = (params: { readonly virtualDatabaseId: string }): readonly string[] => [
  `virtual-database:${params.virtualDatabaseId}`,
]

export type MaybeProblem = ErrorMessage | null
