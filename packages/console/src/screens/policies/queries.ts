import { queryOptions } from '@tanstack/react-query'
import { z } from 'zod'
import type { BodyFor } from '@openmaas/api/routes/routes'
import { apiAnswer, apiCall, apiQuery } from '../../api/queries.ts'

/** Cards; whoever has more policies than these has one too many. */
const POLICIES_MAX = 1000

export const policiesSearch = z.object({
  enabled: z.enum(['true', 'false']).optional().catch(undefined),
})
export type PoliciesSearch = z.infer<typeof policiesSearch>

export function policiesQuery({ enabled }: PoliciesSearch) {
  return apiQuery('listPolicies', {
    query: {
      limit: POLICIES_MAX,
      sort: 'name',
      ...(enabled !== undefined && { 'filter[enabled]': enabled }),
    },
  })
}

export function policyQuery(policyId: string) {
  return apiQuery('getPolicy', { params: { policyId } })
}

type Wished = BodyFor<'previewPolicy'>

export function previewQuery(body: Wished) {
  return queryOptions({
    queryKey: ['policies', 'previewPolicy', body] as const,
    queryFn: ({ signal }) => apiCall('previewPolicy', { body, signal }),
    retry: false,
  })
}

/** A year: until then the rules of months show. */
const SIMULATED_DAYS = 365

export function simulationQuery(spec: Wished['spec']) {
  const body = { spec, days: SIMULATED_DAYS }
  return queryOptions({
    queryKey: ['policies', 'simulatePolicy', body] as const,
    queryFn: ({ signal }) => apiCall('simulatePolicy', { body, signal }),
    retry: false,
  })
}

/** One that is changed must be the one that was read. */
export function savePolicy(
  policy: { readonly id: string; readonly version: number } | null,
  body: BodyFor<'createPolicy'>,
  reason: string,
) {
  if (policy === null) return apiAnswer('createPolicy', { body }).then((answer) => answer.body)
  const params = { policyId: policy.id }
  const changed = { ...body, ...(reason !== '' && { reason }) }
  return apiAnswer('changePolicy', {
    params,
    ifMatch: `"${policy.version}"`,
    body: changed,
  }).then((answer) => answer.body)
}
