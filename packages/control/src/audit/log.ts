/** The log of this module. */
import { makeLog } from '@openmaas/kernel/log'

export const log = makeLog('openmaas:control:audit')
