import { queryOptions } from '@tanstack/react-query'
import type { Policy } from '@openmaas/api/resources/policy'
import { apiCall, apiQuery } from '../../api/queries.ts'

/** The host looks once; looking again is a button. */
const LOOK_AGAIN_AFTER_MS = 600_000

/** It changes nothing, although it is a POST: it wakes the host. */
export function discoverQuery(hostId: string) {
  return queryOptions({
    queryKey: ['discover', hostId] as const,
    queryFn: ({ signal }) => apiCall('discoverHost', { params: { hostId }, signal }),
    staleTime: LOOK_AGAIN_AFTER_MS,
    retry: false,
  })
}

/** Of one directory; a picker is no file browser. */
export const ENTRIES_MAX = 1000

export function directoryQuery(hostId: string, path: string) {
  return queryOptions({
    ...apiQuery('listHostFiles', { params: { hostId }, query: { path, limit: ENTRIES_MAX } }),
    retry: false,
  })
}

export function outlookQuery({ id, spec, selector }: Pick<Policy, 'id' | 'spec' | 'selector'>) {
  const body = { policyId: id, spec, selector }
  return queryOptions({
    queryKey: ['policies', 'previewPolicy', body] as const,
    queryFn: ({ signal }) => apiCall('previewPolicy', { body, signal }),
  })
}
