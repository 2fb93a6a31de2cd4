import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import type { VirtualDatabase } from '@openmaas/api/resources/virtual-database'
import { apiCall } from '../../api/queries.ts'
import { useText } from '../../i18n/text.ts'
import { type Danger, DestructiveDialog, type Plan } from '../../ui/DestructiveDialog.tsx'
import { databasesMessages } from './messages/text.ts'

interface Props {
  readonly database: VirtualDatabase
  /** With its directory, where it has one; without it; although its host is away. */
  readonly verb: 'drop' | 'drop-keep-data' | 'force-drop'
  readonly onClose: () => void
}

export function DropDialog({ database, verb, onClose }: Props) {
  const text = useText(databasesMessages)
  const navigate = useNavigate()
  const queryClient = useQueryClient()
  const params = { virtualDatabaseId: database.id }
  const how = { force: verb === 'force-drop', keepData: verb === 'drop-keep-data' }
  const drop = useMutation({
    mutationFn: (danger: Danger) =>
      apiCall('dropVirtualDatabase', { params, body: { ...how, ...danger } }),
    onSettled: () => queryClient.invalidateQueries({ queryKey: ['virtual-databases'] }),
  })
  return (
    <DestructiveDialog
      title={text(`verb.${verb}`)}
      name={database.name}
      plan={() =>
        apiCall('dropVirtualDatabase', { params, body: how, dryRun: true }) as Promise<Plan>
      }
      perform={async (danger) => {
        await drop.mutateAsync(danger)
        await navigate({ to: '/virtual-databases' })
      }}
      onClose={onClose}
    />
  )
}
