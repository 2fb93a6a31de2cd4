/** A virtual database of each member, all at one moment. */
import { useState } from 'react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import type { Group, GroupPoint } from '@openmaas/api/resources/group'
import { apiCall } from '../../api/queries.ts'
import { useIsLimited } from '../../api/session.ts'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { TextField } from '../../ui/fields.tsx'
import { FormDialog } from '../../ui/FormDialog.tsx'
import { preferredHost } from '../media/mount-form.ts'
import { HostField } from '../virtual-databases/InstanceFields.tsx'
import { emptyForm } from '../virtual-databases/new-database/create-form.ts'
import { LimitFields } from '../virtual-databases/new-database/LimitFields.tsx'
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
      <HostField
        value={hostId}
        hosts={agents}
        onChange={(chosen) => setWish((old) => ({ ...old, hostId: chosen }))}
        of="group"
      />
      <LimitFields
        wish={wish}
        onChange={(changed) => setWish((old) => ({ ...old, ...changed }))}
        of="group"
      />
    </FormDialog>
  )
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
