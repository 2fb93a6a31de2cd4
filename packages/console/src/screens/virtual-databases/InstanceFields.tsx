/** Where an instance stands, who reaches it and how it is set: of each form that makes one. */
import Input from 'antd/es/input'
import InputNumber from 'antd/es/input-number'
import Segmented from 'antd/es/segmented'
import Select from 'antd/es/select'
import type { Host } from '@openmaas/api/resources/host'
import { useText } from '../../i18n/text.ts'
import { canMount } from '../media/mount-form.ts'
import { parseSettings } from './new-database/create-form.ts'
import { newDatabaseMessages } from './new-database/messages/text.ts'

const PORT_MAX = 65_535

interface FieldProps<T> {
  readonly value: T
  readonly onChange: (value: T) => void
  /** What it is for, in names for tests: `database`, `recover`, `group`. */
  readonly of: string
  /** In place of the usual words. */
  readonly label?: string
}

export function HostField({
  value,
  onChange,
  of,
  label,
  hosts,
  ownHostId = null,
}: Omit<FieldProps<string | null>, 'onChange'> & {
  readonly onChange: (hostId: string) => void
  readonly hosts: readonly Host[]
  /** The host that has the programs for sure. */
  readonly ownHostId?: string | null
}) {
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
      <span>{label ?? text('host')}</span>
      <Select
        aria-label={label ?? text('host')}
        value={value}
        placeholder={text('host.none')}
        options={hosts.map((host) => ({
          value: host.id,
          label: labelOf(host),
          disabled: !canMount(host),
        }))}
        onChange={onChange}
        data-testid={`${of}-host`}
      />
    </div>
  )
}

/** @param none  what is shown while nothing is chosen */
export function PortField({
  value,
  onChange,
  of,
  label,
  none,
}: FieldProps<number | null> & { readonly none?: string }) {
  const text = useText(newDatabaseMessages)
  return (
    <label>
      {label ?? text('port')}
      <InputNumber
        min={1}
        max={PORT_MAX}
        precision={0}
        value={value}
        placeholder={none}
        style={{ width: '100%' }}
        onChange={onChange}
        data-testid={`${of}-port`}
      />
    </label>
  )
}

export function ListenField({ value, onChange, of }: FieldProps<boolean>) {
  const text = useText(newDatabaseMessages)
  return (
    <div className="om-field">
      <span>{text('listen')}</span>
      <Segmented
        aria-label={text('listen')}
        value={value ? 'open' : 'local'}
        options={[
          { value: 'local', label: text('listen.local') },
          { value: 'open', label: text('listen.open') },
        ]}
        onChange={(chosen) => onChange(chosen === 'open')}
        data-testid={`${of}-listen`}
      />
    </div>
  )
}

export function SettingsField({ value, onChange, of, label }: FieldProps<string>) {
  const text = useText(newDatabaseMessages)
  const isWrong = parseSettings(value) === null
  return (
    <label>
      {label ?? text('settings')}
      <Input.TextArea
        value={value}
        rows={3}
        status={isWrong ? 'error' : ''}
        placeholder="work_mem = 64MB"
        onChange={(event) => onChange(event.target.value)}
        data-testid={`${of}-settings`}
      />
      {isWrong && <small className="om-state-warning">{text('settings.wrong')}</small>}
    </label>
  )
}
