/** Waiting until files that were just written are no longer taken for ones that may yet change. */
import { setTimeout as delay } from 'node:timers/promises'
import { coarseNowMs } from '@openmaas/kernel/posix/coarse-clock'

/** Longer than a tick of the clock that file systems take their times from, and than RACY_MS. */
const SETTLED_MS = 30

/** By that clock itself: where the CPU is taken away it stands still for longer than it should. */
export async function settle(): Promise<void> {
  const until = coarseNowMs() + SETTLED_MS
  while (coarseNowMs() < until) await delay(5)
}
