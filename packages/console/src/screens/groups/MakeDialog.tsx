/** A virtual database of each member, all at one moment. */
import { useState } from 'react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import Select from 'antd/es/select'
import type { Group, GroupPoint } from '@openmaas/api/resources/group'
import { apiCall } from '../../api/queries.ts'
import { useIsLimited } from '../../api/session.ts'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { TextField } from '../../ui/fields.tsx'
import { FormDialog } from '../../ui/FormDialog.tsx'
import { canMount, preferredHost } from '../media/mount-form.ts'
import { emptyForm } from '../virtual-databases/new-database/create-form.ts'
import { LimitFields } from '../virtual-databases/new-database/LimitFields.tsx'
import { newDatabaseMessages } from '../virtual-databases/new-database/messages/text.ts'
import { agentsQuery } from '../virtual-databases/new-database/queries.ts'
import { groupsMessages } from './messages/text.ts'

interface Props {
  readonly group: Group
  readonly point: GroupPoint
  readonly onClose: () => void
}

const GIB = 1024 ** 3

export function MakeDialog({ group, point, onClose }: Props) {
  const text = useText(groupsMessages)
  const format = useFormat()
  const isLimited = useIsLimited()
  const [name, setName] = useState(`${group.name}-test`)
  const [wish, setWish] = useState(() => emptyForm(isLimited))
  const hosts = useQuery(agentsQuery)
  const agents = hosts.data?.items ?? []
  const hostId = wish.hostId ?? preferredHost(agents, '')
  const make = useMake(group.id, onClose)
  const { lifetimeSeconds, quotaGib } = wish
  return (
    <FormDialog
      title={text('make.title', { at: format.exact(point.at) })}
      ok={text('make.go')}
      isReady={name.trim() !== '' && hostId !== null && !(isLimited && quotaGib === null)}
      isPending={make.isPending}
      error={make.error ?? hosts.error}
      onOk={() =>
        hostId !== null &&
        make.mutate({
          name: name.trim(),
          hostId,
          groupPointId: point.id,
          lifetimeSeconds,
          quotaBytes: quotaGib === null ? null : Math.round(quotaGib * GIB),
        })
      }
      onClose={onClose}
    >
      <p>{text('make.text')}</p>
      <TextField label={text('make.name')} value={name} onChange={setName} testId="group-prefix" />
      <Wishes
        wish={{ hostId, lifetimeSeconds, quotaGib }}
        hosts={agents.map((host) => ({
          value: host.id,
          label: host.name,
          disabled: !canMount(host),
        }))}
        onChange={(changed) => setWish((old) => ({ ...old, ...changed }))}
      />
    </FormDialog>
  )
}

interface Wish {
  readonly hostId: string | null
  readonly lifetimeSeconds: number | null
  readonly quotaGib: number | null
}

interface Asked {
  readonly name: string
  readonly hostId: string
  readonly groupPointId: string
  readonly lifetimeSeconds: number | null
  readonly quotaBytes: number | null
}

function useMake(groupId: string, onClose: () => void) {
  const navigate = useNavigate()
  const queryClient = useQueryClient()
  return useMutation({
    mutationFn: (body: Asked) => apiCall('createGroupDatabases', { params: { groupId }, body }),
    onSuccess: async () => {
      onClose()
      await queryClient.invalidateQueries({ queryKey: ['virtual-databases'] })
      await navigate({ to: '/virtual-databases' })
    },
  })
}

interface WishesProps {
  readonly wish: Wish
  readonly hosts: { value: string; label: string; disabled: boolean }[]
  readonly onChange: (changed: Partial<Wish>) => void
}

function Wishes({ wish, hosts, onChange }: WishesProps) {
  const form = useText(newDatabaseMessages)
  return (
    <>
      <div className="om-field">
        <span>{form('host')}</span>
        <Select
          aria-label={form('host')}
          value={wish.hostId}
          placeholder={form('host.none')}
          options={hosts}
          onChange={(hostId) => onChange({ hostId })}
          data-testid="group-host"
        />
      </div>
      <LimitFields wish={wish} onChange={onChange} of="group" />
    </>
  )
}
