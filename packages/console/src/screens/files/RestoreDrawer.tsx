/** Brings chosen files back to a host: where to, what gives way, a dry run; then how it goes. */
import { useState } from 'react'
import { useMutation, useQueries, useQuery, useQueryClient } from '@tanstack/react-query'
import Button from 'antd/es/button'
import Drawer from 'antd/es/drawer'
import Skeleton from 'antd/es/skeleton'
import { apiCall, apiQuery } from '../../api/queries.ts'
import { useText } from '../../i18n/text.ts'
import { ProblemView } from '../../ui/ProblemView.tsx'
import type { Basket } from './basket.ts'
import { filesMessages } from './messages/text.ts'
import { sourceQuery } from './queries.ts'
import {
  type RestoreForm,
  toRestoreBody,
  type WantedRestore,
  wantedRestores,
} from './restore-form.ts'
import { RestoreFields } from './RestoreFields.tsx'
import { RestoreOutcome, type StartedRestore } from './RestoreOutcome.tsx'
import { RestorePlan } from './RestorePlan.tsx'
import './files.css'

const AGENT_COUNT_MAX = 1000
const agentsQuery = apiQuery('listHosts', {
  query: { limit: AGENT_COUNT_MAX, 'filter[kind]': 'agent', sort: 'name' },
})

interface Props {
  readonly items: Basket
  /** What is proposed; the other is one click away. */
  readonly isInPlace: boolean
  readonly onClose: () => void
  readonly onStarted?: () => void
}

export function RestoreDrawer({ items, isInPlace, onClose, onStarted }: Props) {
  const text = useText(filesMessages)
  const [started, setStarted] = useState<readonly StartedRestore[] | null>(null)
  return (
    <Drawer open title={text('restore.title')} size={560} onClose={onClose}>
      <div className="om-restore" data-testid="restore-drawer">
        {started !== null ? (
          <>
            {started.map((one) => (
              <RestoreOutcome key={one.jobId} started={one} />
            ))}
            <Button onClick={onClose} data-testid="restore-close">
              {text('restore.close')}
            </Button>
          </>
        ) : items.length === 0 ? (
          <p>{text('restore.empty')}</p>
        ) : (
          <RestoreItems
            items={items}
            isInPlace={isInPlace}
            onStarted={(jobs) => {
              setStarted(jobs)
              onStarted?.()
            }}
          />
        )}
      </div>
    </Drawer>
  )
}

interface ItemsProps {
  readonly items: Basket
  readonly isInPlace: boolean
  readonly onStarted: (jobs: readonly StartedRestore[]) => void
}

function useStart(onStarted: ItemsProps['onStarted']) {
  const queryClient = useQueryClient()
  return useMutation({
    mutationFn: async (wanted: readonly WantedRestore[]) => {
      const jobs: StartedRestore[] = []
      for (const one of wanted) {
        const { pointId, takenAt } = one.items[0]!
        const body = toRestoreBody(one)
        const answer = await apiCall('restorePoint', { params: { pointId }, body })
        if (!('jobId' in answer)) continue
        jobs.push({ jobId: answer.jobId, takenAt, place: one.place })
      }
      return jobs
    },
    onSuccess: async (jobs) => {
      onStarted(jobs)
      await queryClient.invalidateQueries({ queryKey: ['jobs'] })
    },
  })
}

function RestoreItems({ items, isInPlace, onStarted }: ItemsProps) {
  const text = useText(filesMessages)
  const [form, setForm] = useState<RestoreForm>({
    hostId: null,
    isInPlace,
    to: '',
    keepFolders: true,
    conflict: 'rename',
  })
  const hosts = useQuery(agentsQuery)
  const sourceIds = [...new Set(items.map(({ sourceId }) => sourceId))]
  const sources = useQueries({ queries: sourceIds.map((id) => sourceQuery(id)) })
  const originOf = (sourceId: string) => {
    return sources[sourceIds.indexOf(sourceId)]?.data
  }
  const start = useStart(onStarted)
  const error = hosts.error ?? sources.find((one) => one.error !== null)?.error ?? null
  if (error !== null) return <ProblemView error={error} />
  if (hosts.data === undefined || sources.some((one) => one.isPending)) {
    return <Skeleton active />
  }
  const agents = hosts.data.items
  const own = originOf(items[0]!.sourceId)?.hostId
  const online = agents.filter(({ state }) => state === 'online')
  const hostId = form.hostId ?? online.find(({ id }) => id === own)?.id ?? online[0]?.id ?? null
  const current = { ...form, hostId }
  const wanted = wantedRestores(items, current, originOf)
  const hostName = agents.find(({ id }) => id === hostId)?.name ?? ''
  return (
    <>
      <RestoreFields
        form={current}
        hosts={agents}
        items={items}
        wanted={wanted}
        onChange={(changed) => setForm((old) => ({ ...old, ...changed }))}
      />
      {wanted !== null && <RestorePlan wanted={wanted} hostName={hostName} />}
      {start.isError && <ProblemView error={start.error} />}
      <Button
        type="primary"
        size="large"
        block
        danger={form.conflict === 'overwrite'}
        disabled={wanted === null}
        loading={start.isPending}
        onClick={() => wanted !== null && start.mutate(wanted)}
        data-testid="restore-go"
      >
        {text('restore.go')}
      </Button>
    </>
  )
}
