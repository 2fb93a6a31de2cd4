/** What the wizard knows so far stands in its address: it can be reloaded, and sent to somebody. */
import { z } from 'zod'
import { sourceKind } from '@openmaas/api/resources/source'

export const STEPS = ['what', 'promise', 'where', 'review'] as const
export type Step = (typeof STEPS)[number]

const text = (length: number) => z.string().min(1).max(length).optional().catch(undefined)
const PATH_LENGTH_MAX = 4096
const RULES_LENGTH_MAX = 4000

export const protectSearch = z.object({
  step: z.enum(STEPS).optional().catch(undefined),
  hostId: text(64),
  kind: sourceKind.optional().catch(undefined),
  path: text(PATH_LENGTH_MAX),
  /** Rules, one a line. */
  exclude: text(RULES_LENGTH_MAX),
  /** `none`: no promise, points only by hand. */
  policyId: text(64),
  poolId: text(64),
  /** MiB per second. */
  rate: text(20),
  name: text(128),
})
export type Draft = z.infer<typeof protectSearch>
