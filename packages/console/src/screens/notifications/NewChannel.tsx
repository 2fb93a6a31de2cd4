import { useState } from 'react'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { CHANNEL_KINDS } from '@openmaas/api/resources/notification'
import { apiCall } from '../../api/queries.ts'
import { useText } from '../../i18n/text.ts'
import { ChoiceField, TextField } from '../../ui/fields.tsx'
import { FormDialog } from '../../ui/FormDialog.tsx'
import { CHANNEL_FIELDS, toConfig, type ChannelKind, type Typed } from './channel-config.ts'
import { notificationsMessages } from './messages/text.ts'

export function NewChannel({ onClose }: { readonly onClose: () => void }) {
  const text = useText(notificationsMessages)
  const queryClient = useQueryClient()
  const [name, setName] = useState('')
  const [kind, setKind] = useState<ChannelKind>('webhook')
  const [typed, setTyped] = useState<Typed>({})
  const config = toConfig(kind, typed)
  const add = useMutation({
    mutationFn: () =>
      apiCall('createChannel', { body: { name: name.trim(), kind, config: config ?? {} } }),
    onSuccess: async () => {
      await queryClient.invalidateQueries({ queryKey: ['alerts'] })
      onClose()
    },
  })
  return (
    <FormDialog
      title={text('channels.add')}
      ok={text('channels.add')}
      isReady={name.trim() !== '' && config !== null}
      isPending={add.isPending}
      error={add.error}
      onOk={() => add.mutate()}
      onClose={onClose}
    >
      <TextField
        label={text('name')}
        value={name}
        autoFocus
        onChange={setName}
        testId="channel-name"
      />
      <ChoiceField
        label={text('kind')}
        value={kind}

        options={CHANNEL_KINDS.map((value) => ({ value, label: text(`kind.${value}`) }))}
        onChange={setKind}
        testId="channel-kind"
      />
      {CHANNEL_FIELDS[kind].map(({ name: field, secret }) => (
        <TextField
          key={field}
          label={text(`field.${field}`)}
          type={secret === true ? 'password' : 'text'}
          autoComplete="off"
          value={typed[field] ?? ''}
          onChange={(value) => setTyped({ ...typed, [field]: value })}
          testId={`channel-${field}`}
        />
      ))}
    </FormDialog>
  )
}
