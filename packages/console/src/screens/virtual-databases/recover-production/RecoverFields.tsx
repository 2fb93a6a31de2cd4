/** Where it stands: host, port, who reaches it; and what is seldom changed. */
import type { Host } from '@openmaas/api/resources/host'
import { useText } from '../../../i18n/text.ts'
import { TextField } from '../../../ui/fields.tsx'
import { HostField, ListenField, PortField, SettingsField } from '../InstanceFields.tsx'
import { newDatabaseMessages } from '../new-database/messages/text.ts'
import { recoverMessages } from './messages/text.ts'
import type { RecoverForm } from './recover-form.ts'

interface Props {
  readonly form: RecoverForm
  /** What is used: proposed where nothing was chosen. */
  readonly hostId: string | null
  readonly hosts: readonly Host[]
  readonly onChange: (changed: Partial<RecoverForm>) => void
}

export function RecoverFields({ form, hostId, hosts, onChange }: Props) {
  const text = useText(recoverMessages)
  return (
    <>
      <HostField
        label={text('host')}
        value={hostId}
        hosts={hosts}
        onChange={(chosen) => onChange({ hostId: chosen })}
        of="recover"
      />
      <PortField
        label={text('port')}
        value={form.port}
        onChange={(port) => onChange({ port })}
        of="recover"
      />
      <ListenField value={form.isOpen} onChange={(isOpen) => onChange({ isOpen })} of="recover" />
      <More form={form} onChange={onChange} />
    </>
  )
}

function More({ form, onChange }: Pick<Props, 'form' | 'onChange'>) {
  const text = useText(recoverMessages)
  const shared = useText(newDatabaseMessages)
  return (
    <details className="om-more" data-testid="recover-more">
      <summary>{shared('more')}</summary>
      <div className="om-form">
        <TextField
          label={text('name')}
          value={form.name}
          onChange={(name) => onChange({ name })}
          testId="recover-name"
        />
        <SettingsField
          label={text('settings')}
          value={form.settings}
          onChange={(settings) => onChange({ settings })}
          of="recover"
        />
      </div>
    </details>
  )
}
