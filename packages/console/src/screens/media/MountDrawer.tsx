/** Mounts one point on a host: two clicks with what is proposed. The page of the medium follows. */
import { useState } from 'react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import Button from 'antd/es/button'
import Drawer from 'antd/es/drawer'
import Skeleton from 'antd/es/skeleton'
import type { Host } from '@openmaas/api/resources/host'
import type { Point } from '@openmaas/api/resources/point'
import { apiCall, apiQuery } from '../../api/queries.ts'
import { useIsLimited } from '../../api/session.ts'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { CopyButton } from '../../ui/CopyButton.tsx'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { mediaMessages } from './messages/text.ts'
import { emptyMount, isPathWrong, mountCli, preferredHost, toMountBody } from './mount-form.ts'
import { MountFields } from './MountFields.tsx'
import { pointQuery } from './queries.ts'
import { useMediumNames } from './use-medium-names.ts'
import './media.css'

const AGENT_COUNT_MAX = 1000
const agentsQuery = apiQuery('listHosts', {
  query: { limit: AGENT_COUNT_MAX, 'filter[kind]': 'agent', sort: 'name' },
})

interface Props {
  readonly pointId: string
  readonly onClose: () => void
}

export function MountDrawer({ pointId, onClose }: Props) {
  const text = useText(mediaMessages)
  const point = useQuery(pointQuery(pointId))
  const hosts = useQuery(agentsQuery)
  const error = point.error ?? hosts.error
  return (
    <Drawer open title={text('mount.title')} size={480} onClose={onClose}>
      <div data-testid="mount-drawer">
        {error !== null && <ProblemView error={error} />}
        {error === null && (point.data === undefined || hosts.data === undefined) && (
          <Skeleton active aria-label={text('mount.loading')} />
        )}
        {point.data !== undefined && hosts.data !== undefined && (
          <MountPoint point={point.data} hosts={hosts.data.items} />
        )}
      </div>
    </Drawer>
  )
}

interface MountPointProps {
  readonly point: Point
  readonly hosts: readonly Host[]
}

function useMount(pointId: string) {
  const navigate = useNavigate()
  const queryClient = useQueryClient()
  return useMutation({
    mutationFn: (body: ReturnType<typeof toMountBody>) =>
      apiCall('mountPoint', { params: { pointId }, body }),
    onSuccess: async ({ mediumId }) => {
      await queryClient.invalidateQueries({ queryKey: ['media'] })
      await navigate({ to: '/media/$mediumId', params: { mediumId } })
    },
  })
}

function MountPoint({ point, hosts }: MountPointProps) {
  const text = useText(mediaMessages)
  const format = useFormat()
  const names = useMediumNames()
  const isLimited = useIsLimited()
  const [form, setForm] = useState(() => emptyMount(isLimited))
  const hostId = form.hostId ?? preferredHost(hosts, point.hostId)
  const hostName = hosts.find(({ id }) => id === hostId)?.name ?? ''
  const mount = useMount(point.id)
  const isAvailable = point.state === 'available'
  const needsQuota = isLimited && form.quotaGib === null
  const cli = mountCli(point.id, form, hostName)
  return (
    <>
      <dl className="om-facts om-mount-facts">
        <dt>{text('source')}</dt>
        <dd>{names.source(point.sourceId)}</dd>
        <dt>{text('dataOf')}</dt>
        <dd>{format.exact(point.takenAt)}</dd>
      </dl>
      {!isAvailable && <p className="om-state-warning">{text('mount.gone')}</p>}
      <MountFields
        form={{ ...form, hostId }}
        hosts={hosts}
        ownHostId={point.hostId}
        isLimited={isLimited}
        onChange={(changed) => setForm((old) => ({ ...old, ...changed }))}
      />
      <section className="om-mount-plan" aria-live="polite">
        <h3>{text('mount.plan')}</h3>
        {hostId === null ? (
          <p className="om-state-warning">{text('mount.host.none')}</p>
        ) : (
          <p>{text('mount.plan.text', { at: format.exact(point.takenAt), host: hostName })}</p>
        )}
        <p className="om-code">
          {cli}
          <CopyButton value={cli} />
        </p>
      </section>
      {mount.isError && <ProblemView error={mount.error} />}
      <Button
        type="primary"
        size="large"
        block
        loading={mount.isPending}
        disabled={!isAvailable || hostId === null || isPathWrong(form) || needsQuota}
        onClick={() => hostId !== null && mount.mutate(toMountBody(form, hostId))}
        data-testid="mount-go"
      >
        {text('mount.go')}
      </Button>
    </>
  )
}
