/** The server's dry run of what is about to be restored, in the words of this console. */
import { useQueries } from '@tanstack/react-query'
import { apiCall } from '../../api/queries.ts'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { CopyButton } from '../../ui/CopyButton.tsx'
import { ProblemView } from '../../ui/ProblemView.tsx'
import type { BasketItem } from './basket.ts'
import { filesMessages } from './messages/text.ts'
import { restoreCli, toRestoreBody } from './restore-form.ts'
import type { StartedRestore } from './RestoreOutcome.tsx'

interface Props {
  readonly wanted: readonly {
    readonly items: readonly BasketItem[]
    readonly place: StartedRestore['place']
  }[]
  readonly hostName: string
}

export function RestorePlan({ wanted, hostName }: Props) {
  const text = useText(filesMessages)
  const format = useFormat()
  const checks = useQueries({
    queries: wanted.map(({ items, place }) => {
      const params = { pointId: items[0]!.pointId }
      const body = toRestoreBody(items, place)
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
    <section className="om-mount-plan" aria-live="polite" data-testid="restore-plan">
      <h3>{text('restore.plan')}</h3>
      {wanted.map(({ items, place }) => {
        const isAll = items.some(({ path }) => path === '/')
        const cli = restoreCli(items, { ...place, host: hostName })
        return (
          <div key={items[0]!.pointId}>
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
