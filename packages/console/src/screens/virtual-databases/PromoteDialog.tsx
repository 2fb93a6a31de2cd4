/** To a local directory of its host, for good: with the dry run before it. */
import { useState } from 'react'
import { useQuery } from '@tanstack/react-query'
import type { VirtualDatabase } from '@openmaas/api/resources/virtual-database'
import { apiCall } from '../../api/queries.ts'
import { useText } from '../../i18n/text.ts'
import { type Plan, PlanView } from '../../ui/DestructiveDialog.tsx'
import { TextField } from '../../ui/fields.tsx'
import { FormDialog } from '../../ui/FormDialog.tsx'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { databasesMessages } from './messages/text.ts'
import { useVerb } from './use-verb.ts'

interface Props {
  readonly database: VirtualDatabase
  readonly onClose: () => void
}

/** As the API takes it: absolute, with two parts at least, none of them `.` or `..`. */
const DIRECTORY = /^(?:\/(?!\.{1,2}(?:\/|$))[^/]+){2,}$/

export function PromoteDialog({ database, onClose }: Props) {
  const text = useText(databasesMessages)
  const { id: virtualDatabaseId, name } = database
  const [directory, setDirectory] = useState(`/srv/databases/${name}`)
  const isReady = DIRECTORY.test(directory)
  const params = { virtualDatabaseId }
  const body = { directory }
  const planned = useQuery({
    queryKey: ['virtual-databases', 'promote', virtualDatabaseId, directory] as const,
    queryFn: () =>
      apiCall('promoteVirtualDatabase', { params, body, dryRun: true }) as Promise<Plan>,
    enabled: isReady,
    retry: false,
    staleTime: 0,
    gcTime: 0,
  })
  const promote = useVerb(() => apiCall('promoteVirtualDatabase', { params, body }), onClose)
  return (
    <FormDialog
      title={text('promote.title', { name })}
      ok={text('verb.promote')}
      isReady={isReady && planned.isSuccess}
      isPending={promote.isPending}
      error={promote.error}
      onOk={() => promote.mutate()}
      onClose={onClose}
    >
      <p>{text('promote.text')}</p>
      <TextField
        label={text('promote.directory')}
        value={directory}
        onChange={(typed) => setDirectory(typed.trim())}
        testId="promote-directory"
      />
      {!isReady && <p className="om-state-warning">{text('promote.directory.wrong')}</p>}
      {planned.isError && <ProblemView error={planned.error} />}
      {planned.data !== undefined && <PlanView plan={planned.data} />}
    </FormDialog>
  )
}
