import Progress from 'antd/es/progress'
import type { Job } from '@openmaas/api/resources/job'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { progressMessages } from './progress/messages/text.ts'

/** Share, rate and time left, as far as they are known; nothing for what has ended. */
export function JobProgressBar({ job }: { readonly job: Job }) {
  const text = useText(progressMessages)
  const format = useFormat()
  if (job.state !== 'running') return null
  const { pct = null, bytesDone = 0, rateBytesPerSecond = null, etaMs = null } = job.progress
  const parts = [
    bytesDone > 0 ? format.bytes(bytesDone) : null,
    rateBytesPerSecond !== null && rateBytesPerSecond > 0 ? format.rate(rateBytesPerSecond) : null,
    etaMs === null ? null : text('eta', { time: format.duration(etaMs) }),
  ].filter((part) => part !== null)
  return (
    <span className="om-progress" data-testid="progress">
      {pct !== null && (
        <Progress
          percent={Math.round(pct)}
          size="small"
          status="active"
          aria-label={text('progress')}
        />
      )}
      <span className="om-quiet">{parts.join(' · ')}</span>
    </span>
  )
}
