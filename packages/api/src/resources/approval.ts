/** Four eyes: an action that waits for somebody else's consent. */
import { z } from 'zod'
import { idOf, lineText, nameText, timeOrNull, timeShown } from './common.ts'

export const approval = z
  .object({
    id: idOf('approval'),
    action: z.string(),
    object: z.string(),
    /** The exact parameters that the consent is bound to. */
    params: z.record(z.string(), z.unknown()),
    reason: z.string(),
    state: z.enum(['waiting', 'approved', 'refused', 'used', 'expired']),
    requestedBy: z.string(),
    requestedAt: timeShown,
    decidedBy: z.string().nullable(),
    decidedAt: timeOrNull,
    expiresAt: timeShown,
  })
  .meta({ id: 'Approval' })
export type Approval = z.infer<typeof approval>

export const approvalCreate = z.strictObject({
  /** Name of the route that will be called. */
  action: nameText,
  object: nameText,
  params: z.record(z.string().max(64), z.unknown()).default({}),
  reason: lineText.min(3),
})
export const decision = z.strictObject({ note: lineText.optional() })
