import { useState } from 'react'
import type { VirtualDatabase } from '@openmaas/api/resources/virtual-database'
import { apiCall } from '../../api/queries.ts'
import { useText } from '../../i18n/text.ts'
import { TextField } from '../../ui/fields.tsx'
import { FormDialog } from '../../ui/FormDialog.tsx'
import { LabelsInput } from '../../ui/LabelsInput.tsx'
import { databasesMessages } from './messages/text.ts'
import { refreshOf, toAutoRefresh } from './new-database/create-form.ts'
import { newDatabaseMessages } from './new-database/messages/text.ts'
import { RefreshField, zoneOfBrowser } from './new-database/RefreshField.tsx'
import { useVerb } from './use-verb.ts'

interface Props {
  readonly database: VirtualDatabase
  readonly onClose: () => void
}

export function EditDialog({ database, onClose }: Props) {
  const text = useText(databasesMessages)
  const form = useText(newDatabaseMessages)
  const { id: virtualDatabaseId, version } = database
  const [name, setName] = useState(database.name)
  const [purpose, setPurpose] = useState(database.purpose)
  const [labels, setLabels] = useState<Record<string, string>>(database.labels)
  const [refresh, setRefresh] = useState(() => refreshOf(database.autoRefresh))
  const [isTouched, setTouched] = useState(false)
  const autoRefresh = toAutoRefresh(refresh, zoneOfBrowser())
  const save = useVerb(
    () =>
      apiCall('changeVirtualDatabase', {
        params: { virtualDatabaseId },
        body: {
          name: name.trim(),
          purpose: purpose.trim(),
          labels,
          // What another client has set, such as every 12 hours, stays as it is.
          ...(isTouched && autoRefresh !== undefined && { autoRefresh }),
        },
        ifMatch: `"${version}"`,
      }),
    onClose,
  )
  return (
    <FormDialog
      title={text('edit.title', { name: database.name })}
      ok={text('verb.edit')}
      isReady={name.trim() !== '' && autoRefresh !== undefined}
      isPending={save.isPending}
      error={save.error}
      onOk={() => save.mutate()}
      onClose={onClose}
    >
      <TextField label={text('name')} value={name} onChange={setName} testId="edit-name" />
      <TextField
        label={form('purpose')}
        value={purpose}
        onChange={setPurpose}
        testId="edit-purpose"
      />
      <div className="om-field">
        <span>{text('labels')}</span>
        <LabelsInput
          value={labels}
          onChange={setLabels}
          label={text('labels')}
          testId="edit-labels"
        />
      </div>
      <RefreshField
        value={refresh}
        onChange={(changed) => {
          setRefresh((old) => ({ ...old, ...changed }))
          setTouched(true)
        }}
      />
    </FormDialog>
  )
}
