import Input from 'antd/es/input'
import InputNumber from 'antd/es/input-number'
import Segmented from 'antd/es/segmented'
import Select from 'antd/es/select'
import type { Host } from '@openmaas/api/resources/host'
import { useText } from '../../../i18n/text.ts'
import { TextField } from '../../../ui/fields.tsx'
import { canMount } from '../../media/mount-form.ts'
import { type CreateForm, isUser, parseSettings } from './create-form.ts'
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

const PORT_MAX = 65_535

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
      <HostField {...props} />
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

function HostField({ hosts, hostId, ownHostId, onChange }: Props) {
  const text = useText(newDatabaseMessages)
  const labelOf = (host: Host): string => {
    const notes = [
      host.id === ownHostId ? text('host.own') : '',
      host.state === 'online' ? '' : text('host.offline'),
      host.drained ? text('host.drained') : '',
    ].filter((note) => note !== '')
    return notes.length === 0 ? host.name : `${host.name} (${notes.join(', ')})`
  }
  return (
    <div className="om-field">
      <span>{text('host')}</span>
      <Select
        aria-label={text('host')}
        value={hostId}
        placeholder={text('host.none')}
        options={hosts.map((host) => ({
          value: host.id,
          label: labelOf(host),
          disabled: !canMount(host),
        }))}
        onChange={(chosen) => onChange({ hostId: chosen })}
        data-testid="database-host"
      />
    </div>
  )
}

function More({ form, onChange }: Pick<Props, 'form' | 'onChange'>) {
  const text = useText(newDatabaseMessages)
  const areSettingsWrong = parseSettings(form.settings) === null
  return (
    <details className="om-more" data-testid="database-more">
      <summary>{text('more')}</summary>
      <div className="om-form">
        <label>
          {text('port')}
          <InputNumber
            min={1}
            max={PORT_MAX}
            value={form.port}
            placeholder={text('port.auto')}
            style={{ width: '100%' }}
            onChange={(port) => onChange({ port })}
            data-testid="database-port"
          />
        </label>
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
        <div className="om-field">
          <span>{text('listen')}</span>
          <Segmented
            aria-label={text('listen')}
            value={form.isOpen ? 'open' : 'local'}
            options={[
              { value: 'local', label: text('listen.local') },
              { value: 'open', label: text('listen.open') },
            ]}
            onChange={(value) => onChange({ isOpen: value === 'open' })}
            data-testid="database-listen"
          />
        </div>
        <RefreshField value={form} onChange={onChange} />
        <TextField
          label={text('purpose')}
          value={form.purpose}
          onChange={(purpose) => onChange({ purpose })}
          testId="database-purpose"
        />
        <label>
          {text('settings')}
          <Input.TextArea
            value={form.settings}
            rows={3}
            status={areSettingsWrong ? 'error' : ''}
            placeholder="work_mem = 64MB"
            onChange={(event) => onChange({ settings: event.target.value })}
            data-testid="database-settings"
          />
          {areSettingsWrong && <small className="om-state-warning">{text('settings.wrong')}</small>}
        </label>
      </div>
    </details>
  )
}
