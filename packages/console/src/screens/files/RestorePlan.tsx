/** The server's dry run of what is about to be restored, in the words of this console. */
import { useQueries } from '@tanstack/react-query'
import { apiCall } from '../../api/queries.ts'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { CopyButton } from '../../ui/CopyButton.tsx'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { filesMessages } from './messages/text.ts'
import { restoreCli, toRestoreBody, type WantedRestore } from './restore-form.ts'

interface Props {
  readonly wanted: readonly WantedRestore[]
  readonly hostName: string
}

export function RestorePlan({ wanted, hostName }: Props) {
  const text = useText(filesMessages)
  const format = useFormat()
  const checks = useQueries({
    queries: wanted.map((one) => {
      const params = { pointId: one.items[0]!.pointId }
      const body = toRestoreBody(one)
      return {
        queryKey: ['points', 'restorePlan', params, body],
        queryFn: () => apiCall('restorePoint', { params, body, dryRun: true }),
      }
    }),
  })
  const failed = checks.find(({ error }) => error !== null)
  const replaces = wanted.some(({ place }) => place.conflict === 'overwrite')
  const isChecked = checks.every(({ isSuccess }) => isSuccess)
  return (
    <section className="om-restore-plan" aria-live="polite" data-testid="restore-plan">
      <h3>{text('restore.plan')}</h3>
      {wanted.map((one) => {
        const { items, place } = one
        const isAll = items.some(({ path }) => path === '/')
        const cli = restoreCli(one, hostName)
        return (
          <div key={`${items[0]!.pointId} ${place.to}`}>
            <p>
              {text('restore.plan.text', {
                what: isAll ? text('restore.all') : text('basket.count', { count: items.length }),
                at: format.exact(items[0]!.takenAt),
                host: hostName,
                to: place.to,
              })}
            </p>
            <p className="om-code">
              {cli}
              <CopyButton value={cli} />
            </p>
          </div>
        )
      })}
      {replaces && <p className="om-state-warning">{text('restore.plan.replaces')}</p>}
      {failed !== undefined ? (
        <ProblemView error={failed.error} />
      ) : (
        <p className="om-quiet" data-checked={isChecked}>
          {text(isChecked ? 'restore.plan.checked' : 'restore.plan.checking')}
        </p>
      )}
    </section>
  )
}
