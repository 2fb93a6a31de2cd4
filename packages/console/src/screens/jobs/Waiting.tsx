/** What a job that has not begun waits for, as far as it is known. */
import { useQuery } from '@tanstack/react-query'
import type { Job } from '@openmaas/api/resources/job'
import { useMay } from '../../api/session.ts'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { hostNamesQuery } from '../sources/queries.ts'
import { jobsMessages } from './messages/text.ts'
import { reasonOf } from './waiting-reason.ts'

export function Waiting({ job }: { readonly job: Job }) {
  const text = useText(jobsMessages)
  const format = useFormat()
  const may = useMay()
  const isWaiting = job.state === 'queued' || job.state === 'paused'
  const { data } = useQuery({ ...hostNamesQuery, enabled: isWaiting && may('host.read') })
  if (!isWaiting) return null
  const host = data?.items.find(({ id }) => id === job.hostId)
  const reason = reasonOf(job, host, new Date())
  const shown =
    reason === 'until'
      ? text('waiting.until', { time: format.exact(job.notBefore!) })
      : text(`waiting.${reason}`)
  return (
    <span className="om-quiet" data-testid="waiting" data-reason={reason}>
      {text('waiting')} {shown}
    </span>
  )
}
