/** How one stands that follows production, and what ends that. */
import { useQuery } from '@tanstack/react-query'
import Button from 'antd/es/button'
import type { SyncStatus, VirtualDatabase } from '@openmaas/api/resources/virtual-database'
import { apiCall } from '../../api/queries.ts'
import { useMay } from '../../api/session.ts'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { ConfirmButton } from '../../ui/ConfirmButton.tsx'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { Time } from '../../ui/Time.tsx'
import { databasesMessages } from './messages/text.ts'
import { virtualDatabaseQuery } from './queries.ts'
import { canDo } from './states.ts'
import { useVerb } from './use-verb.ts'

/** A lag grows without an event. */
const RENEW_EVERY_MS = 15_000

const COLOURS: Readonly<Record<SyncStatus['state'], string>> = {
  following: 'om-state-ok',
  paused: 'om-state-quiet',
  stopped: 'om-state-quiet',
  broken: 'om-state-failed',
  unknown: 'om-state-warning',
}

export function LiveSync({ database }: { readonly database: VirtualDatabase }) {
  const text = useText(databasesMessages)
  const format = useFormat()
  useQuery({ ...virtualDatabaseQuery(database.id), refetchInterval: RENEW_EVERY_MS })
  const { sync } = database
  if (!database.liveSync || sync === null) return null
  const { state, lagMs, lagBytes, reason, asOf } = sync
  return (
    <section className="om-panel" data-testid="live-sync" data-state={state}>
      <h2>{text('sync')}</h2>
      <p>
        <strong className={COLOURS[state]}>{text(`sync.${state}`)}</strong>{' '}
        <span lang="en">{reason}</span>
      </p>
      <dl className="om-facts">
        <dt>{text('sync.lag')}</dt>
        <dd>
          {lagMs === null ? text('sync.lag.unknown') : format.duration(lagMs)}
          {lagBytes !== null && ` · ${format.bytes(lagBytes)}`}
        </dd>
        <dt>{text('sync.asOf')}</dt>
        <dd>
          <Time at={asOf} />
        </dd>
      </dl>
      <p className="om-quiet">{text('sync.text')}</p>
      <SyncVerbs database={database} />
    </section>
  )
}

function SyncVerbs({ database }: { readonly database: VirtualDatabase }) {
  const text = useText(databasesMessages)
  const may = useMay()
  const params = { virtualDatabaseId: database.id }
  const pause = useVerb(() => apiCall('pauseVirtualDatabase', { params, body: {} }))
  const resume = useVerb(() => apiCall('resumeVirtualDatabase', { params, body: {} }))
  const open = useVerb(() => apiCall('openVirtualDatabase', { params, body: {} }))
  const error = pause.error ?? resume.error ?? open.error
  return (
    <>
      <div className="om-buttons">
        {canDo('pause', database, may) && (
          <Button loading={pause.isPending} onClick={() => pause.mutate()} data-testid="pause-sync">
            {text('sync.pause')}
          </Button>
        )}
        {canDo('resume', database, may) && (
          <Button
            loading={resume.isPending}
            onClick={() => resume.mutate()}
            data-testid="resume-sync"
          >
            {text('sync.resume')}
          </Button>
        )}
        {canDo('open', database, may) && (
          <ConfirmButton
            size="middle"
            verb={text('sync.open')}
            question={text('sync.open.confirm')}
            no={text('cancel')}
            testId="open-sync"
            isLoading={open.isPending}
            onConfirm={() => open.mutate()}
          />
        )}
      </div>
      {error !== null && <ProblemView error={error} />}
    </>
  )
}
