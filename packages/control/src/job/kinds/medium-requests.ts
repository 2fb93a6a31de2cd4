/** The jobs that plug and eject a medium, as they are asked for: plug.ts and eject.ts run them. */
import type { JobRequest } from '../queue.ts'
import type { MediumRow } from './medium-rows.ts'

type MediumOfJob = Pick<
  MediumRow,
  'id' | 'hostId' | 'nodeId' | 'poolId' | 'pointId' | 'sourceId' | 'labelsJson'
>

/** Before backups that wait: a person does. */
const MEDIUM_PRIORITY = 100

export function plugRequest(medium: MediumOfJob, actor: string): JobRequest {
  return mediumRequest('plug', medium, { actor })
}

export function ejectRequest(
  medium: MediumOfJob,
  options: { readonly actor: string; readonly force: boolean },
): JobRequest {
  return mediumRequest('eject', medium, options)
}

function mediumRequest(
  kind: 'plug' | 'eject',
  medium: MediumOfJob,
  options: { readonly actor: string; readonly force?: boolean },
): JobRequest {
  const { id, hostId, nodeId, poolId, pointId, sourceId, labelsJson } = medium
  const { actor, force } = options
  return {
    kind,
    params: { mediumId: id, hostId, ...(force !== undefined && { force }) },
    actor,
    priority: MEDIUM_PRIORITY,
    activeKey: `${kind}:${id}`,
    mediumId: id,
    hostId,
    nodeId,
    poolId,
    pointId,
    sourceId,
    labels: JSON.parse(labelsJson) as Record<string, string>,
  }
}
