import Input from 'antd/es/input'
import type { Host } from '@openmaas/api/resources/host'
import { useText } from '../../../i18n/text.ts'
import { TextField } from '../../../ui/fields.tsx'
import { HostField, ListenField, PortField, SettingsField } from '../InstanceFields.tsx'
import { type CreateForm, isUser } from './create-form.ts'
import { LimitFields } from './LimitFields.tsx'
import { newDatabaseMessages } from './messages/text.ts'
import { RefreshField } from './RefreshField.tsx'

interface Props {
  readonly form: CreateForm
  /** What is used: proposed where nothing was chosen. */
  readonly name: string
  readonly hostId: string | null
  readonly hosts: readonly Host[]
  /** The host that has the programs for sure. */
  readonly ownHostId: string
  readonly asksConsent: boolean
  readonly onChange: (changed: Partial<CreateForm>) => void
}

export function CreateFields(props: Props) {
  const { form, name, asksConsent, onChange } = props
  const text = useText(newDatabaseMessages)
  return (
    <div className="om-form">
      <TextField
        label={text('name')}
        value={name}
        onChange={(typed) => onChange({ name: typed })}
        testId="database-name"
      />
      <HostField
        value={props.hostId}
        hosts={props.hosts}
        ownHostId={props.ownHostId}
        onChange={(hostId) => onChange({ hostId })}
        of="database"
      />
      <LimitFields wish={form} onChange={onChange} of="database" />
      {asksConsent && (
        <TextField
          label={text('reason')}
          value={form.reason}
          onChange={(reason) => onChange({ reason })}
          testId="database-reason"
        />
      )}
      <More form={form} onChange={onChange} />
    </div>
  )
}

function More({ form, onChange }: Pick<Props, 'form' | 'onChange'>) {
  const text = useText(newDatabaseMessages)
  return (
    <details className="om-more" data-testid="database-more">
      <summary>{text('more')}</summary>
      <div className="om-form">
        <PortField
          value={form.port}
          none={text('port.auto')}
          onChange={(port) => onChange({ port })}
          of="database"
        />
        <label>
          {text('user')}
          <Input
            value={form.user}
            status={isUser(form.user) ? '' : 'error'}
            onChange={(event) => onChange({ user: event.target.value })}
            data-testid="database-user"
          />
          {!isUser(form.user) && <small className="om-state-warning">{text('user.wrong')}</small>}
        </label>
        <ListenField
          value={form.isOpen}
          onChange={(isOpen) => onChange({ isOpen })}
          of="database"
        />
        <RefreshField value={form} onChange={onChange} />
        <TextField
          label={text('purpose')}
          value={form.purpose}
          onChange={(purpose) => onChange({ purpose })}
          testId="database-purpose"
        />
        <SettingsField
          value={form.settings}
          onChange={(settings) => onChange({ settings })}
          of="database"
        />
      </div>
    </details>
  )
}
