/** The points that have what was lost, and the one that is chosen. */
import { useQuery } from '@tanstack/react-query'
import type { Point } from '@openmaas/api/resources/point'
import { useMay } from '../../api/session.ts'
import { pointQuery, versionsQuery } from '../files/queries.ts'
import { proposedPoint } from './choice.ts'
import { pointsQuery, type RecoverSearch } from './queries.ts'

export interface Points {
  /** Newest first. */
  readonly points: readonly Point[]
  readonly chosen: Point | undefined
  /** The one of the address exists, but cannot be used. */
  readonly isUnusable: boolean
  readonly isPending: boolean
  readonly error: Error | null
}

export function usePoints({ sourceId = '', path, pointId }: RecoverSearch): Points {
  const may = useMay()
  const isAsked = sourceId !== ''
  const listed = useQuery({ ...pointsQuery(sourceId), enabled: isAsked })
  const wantsFile = isAsked && path !== undefined && may('point.browse')
  const versions = useQuery({ ...versionsQuery(sourceId, path ?? ''), enabled: wantsFile })
  const having = new Set(versions.data?.map((version) => version.pointId))
  const points = (listed.data?.items ?? []).filter(({ id }) => !wantsFile || having.has(id))
  const here = points.find(({ id }) => id === pointId)
  // One that is older than all that is listed.
  const elsewhere = useQuery({
    ...pointQuery(pointId ?? ''),
    enabled: isAsked && pointId !== undefined && here === undefined && listed.isSuccess,
  })
  const isUnusable = elsewhere.data !== undefined && elsewhere.data.state !== 'available'
  const found = here ?? (isUnusable ? undefined : elsewhere.data)
  return {
    points,
    chosen: found ?? (pointId === undefined ? proposedPoint(points) : undefined),
    isUnusable,
    isPending: isAsked && (listed.isPending || (wantsFile && versions.isPending)),
    error: listed.error ?? versions.error ?? elsewhere.error,
  }
}
