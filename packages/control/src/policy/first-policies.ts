/**
 * Three promises to begin with, so that a label is all that a new source needs: `sla: gold`. They
 * are policies like any other: to be changed, or removed.
 */
import { makeControlId } from '@openmaas/api/ids'
import { policySpec } from '@openmaas/api/policy'
import type { PolicySpec } from '@openmaas/api/policy'
import type { Clock } from '@openmaas/kernel/clock'
import type { Random } from '@openmaas/kernel/random'
import type { Catalog } from '../catalog/catalog.ts'

const FIRST: readonly (readonly [name: string, spec: PolicySpec])[] = [
  [
    'bronze',
    policySpec.parse({
      rpo: '1d',
      jitter: '1h',
      retention: { last: 3, daily: 7, weekly: 4, monthly: 3 },
    }),
  ],
  [
    'silver',
    policySpec.parse({
      rpo: '4h',
      jitter: '10m',
      retention: { last: 3, hourly: 12, daily: 14, weekly: 8, monthly: 12 },
      verify: { every: '4w' },
    }),
  ],
  [
    'gold',
    policySpec.parse({
      rpo: '15m',
      retention: { last: 4, hourly: 48, daily: 30, weekly: 12, monthly: 12, yearly: 3 },
      verify: { every: '1w' },
      priority: 10,
    }),
  ],
]

/** Only in a catalog that nobody has used: where there is a user, they have decided already. */
export async function makeFirstPolicies(deps: {
  readonly catalog: Catalog
  readonly clock: Clock
  readonly random: Random
}): Promise<void> {
  const { catalog, clock, random } = deps
  await catalog.transaction(async (trx) => {
    const user = await trx.selectFrom('user').select('id').limit(1).executeTakeFirst()
    const policy = await trx.selectFrom('policy').select('id').limit(1).executeTakeFirst()
    if (user !== undefined || policy !== undefined) return
    for (const [name, spec] of FIRST) {
      const values = {
        id: makeControlId('policy', clock, random),
        name,
        selectorJson: JSON.stringify({ sla: name }),
        priority: 0,
        specJson: JSON.stringify(spec),
        enabled: 1,
        createdAt: clock.wallMs(),
        version: 1,
      }
      await trx.insertInto('policy').values(values).execute()
    }
  })
}
