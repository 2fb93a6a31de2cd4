/** Where other screens take a point; each is shown when that screen exists. */
import type { Permission } from '@openmaas/api/permissions'
import type { Point } from '@openmaas/api/resources/point'

export interface PointLink {
  readonly verb: 'clone' | 'mount' | 'browse' | 'restore'
  /** As the router has it. */
  readonly route: string
  readonly to: string
  readonly search: Readonly<Record<string, string>>
  readonly permission: Permission
}

export function pointLinks({
  id,
  sourceId,
  database,
}: Pick<Point, 'id' | 'sourceId' | 'database'>): PointLink[] {
  const isDatabase = database !== null && database !== undefined
  return [
    ...(isDatabase
      ? [
          {
            verb: 'clone' as const,
            route: '/virtual-databases/new',
            to: '/virtual-databases/new',
            search: { sourceId, pointId: id },
            permission: 'virtual-database.create' as const,
          },
        ]
      : []),
    {
      verb: 'mount',
      route: '/media',
      to: '/media',
      search: { mount: id },
      permission: 'medium.plug',
    },
    {
      verb: 'browse',
      route: '/points/$pointId/files',
      to: `/points/${id}/files`,
      search: {},
      permission: 'point.browse',
    },
    {
      verb: 'restore',
      route: '/recover',
      to: '/recover',
      search: { sourceId, pointId: id },
      permission: 'point.restore',
    },
  ]
}
