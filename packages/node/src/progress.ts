/** Progress of the parts below, in the words of the channel; at most twice a second. */
import type { OrderProgress } from '@openmaas/protocols/channel/orders'

const INTERVAL_MS = 500

export type ReportProgress = (progress: OrderProgress) => void

/** For collector and check, which count things and not bytes. */
export function describeProgress(
  report: ReportProgress,
): (progress: { readonly phase: string; readonly done: number }) => void {
  const throttled = throttle(report)
  return ({ phase, done }) =>
    throttled({ phase, bytesDone: 0, bytesTotal: null, itemsDone: Math.floor(done) })
}

/** Drops what comes too often; a new phase is always told. */
export function throttle(report: ReportProgress): ReportProgress {
  let lastMs = -Infinity
  let phase = ''
  return (progress) => {
    const nowMs = performance.now()
    if (progress.phase === phase && nowMs - lastMs < INTERVAL_MS) return
    lastMs = nowMs
    phase = progress.phase
    report(progress)
  }
}
