/** Where it stands: host, port, who reaches it; and what is seldom changed. */
import Input from 'antd/es/input'
import InputNumber from 'antd/es/input-number'
import Segmented from 'antd/es/segmented'
import Select from 'antd/es/select'
import type { Host } from '@openmaas/api/resources/host'
import { useText } from '../../../i18n/text.ts'
import { TextField } from '../../../ui/fields.tsx'
import { canMount } from '../../media/mount-form.ts'
import { parseSettings } from '../new-database/create-form.ts'
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

const PORT_MAX = 65_535

export function RecoverFields({ form, hostId, hosts, onChange }: Props) {
  const text = useText(recoverMessages)
  const shared = useText(newDatabaseMessages)
  return (
    <>
      <div className="om-field">
        <span>{text('host')}</span>
        <Select
          aria-label={text('host')}
          value={hostId}
          placeholder={shared('host.none')}
          options={hosts.map((host) => ({
            value: host.id,
            label: host.name,
            disabled: !canMount(host),
          }))}
          onChange={(chosen) => onChange({ hostId: chosen })}
          data-testid="recover-host"
        />
      </div>
      <label>
        {text('port')}
        <InputNumber
          min={1}
          max={PORT_MAX}
          precision={0}
          value={form.port}
          style={{ width: '100%' }}
          onChange={(port) => onChange({ port })}
          data-testid="recover-port"
        />
      </label>
      <div className="om-field">
        <span>{shared('listen')}</span>
        <Segmented
          aria-label={shared('listen')}
          value={form.isOpen ? 'open' : 'local'}
          options={[
            { value: 'local', label: shared('listen.local') },
            { value: 'open', label: shared('listen.open') },
          ]}
          onChange={(value) => onChange({ isOpen: value === 'open' })}
          data-testid="recover-listen"
        />
      </div>
      <More form={form} onChange={onChange} />
    </>
  )
}

function More({ form, onChange }: Pick<Props, 'form' | 'onChange'>) {
  const text = useText(recoverMessages)
  const shared = useText(newDatabaseMessages)
  const areSettingsWrong = parseSettings(form.settings) === null
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
        <label>
          {text('settings')}
          <Input.TextArea
            value={form.settings}
            rows={3}
            status={areSettingsWrong ? 'error' : ''}
            placeholder="work_mem = 64MB"
            onChange={(event) => onChange({ settings: event.target.value })}
            data-testid="recover-settings"
          />
          {areSettingsWrong && (
            <small className="om-state-warning">{shared('settings.wrong')}</small>
          )}
        </label>
      </div>
    </details>
  )
}
