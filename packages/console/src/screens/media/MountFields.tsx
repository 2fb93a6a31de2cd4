import Checkbox from 'antd/es/checkbox'
import Input from 'antd/es/input'
import Segmented from 'antd/es/segmented'
import Select from 'antd/es/select'
import type { Host } from '@openmaas/api/resources/host'
import { useText } from '../../i18n/text.ts'
import { QuotaField } from '../../ui/QuotaField.tsx'
import { mediaMessages } from './messages/text.ts'
import { canMount, isPathWrong, type MountForm } from './mount-form.ts'
import { useLifetimeOptions } from './use-lifetime-options.ts'

interface Props {
  readonly form: MountForm
  readonly hosts: readonly Host[]
  /** The host that the data came from. */
  readonly ownHostId: string
  /** A role that needs a quota, and does not choose a path. */
  readonly isLimited: boolean
  readonly onChange: (changed: Partial<MountForm>) => void
}

const PURPOSE_LENGTH_MAX = 200

export function MountFields({ form, hosts, ownHostId, isLimited, onChange }: Props) {
  const text = useText(mediaMessages)
  const lifetimes = useLifetimeOptions()
  const hostText = (host: Host): string => {
    const notes = [
      host.id === ownHostId ? text('mount.host.own') : '',
      host.state === 'online' ? '' : text('mount.host.offline'),
      host.drained ? text('mount.host.drained') : '',
    ].filter((note) => note !== '')
    return notes.length === 0 ? host.name : `${host.name} (${notes.join(', ')})`
  }
  return (
    <div className="om-form">
      <div className="om-field">
        <span>{text('mount.host')}</span>
        <Select
          aria-label={text('mount.host')}
          data-testid="mount-host"
          value={form.hostId}
          placeholder={text('mount.host.none')}
          options={hosts.map((host) => ({
            value: host.id,
            label: hostText(host),
            disabled: !canMount(host),
          }))}
          onChange={(hostId) => onChange({ hostId })}
        />
      </div>
      <div className="om-field">
        <span>{text('mount.access')}</span>
        <Segmented
          aria-label={text('mount.access')}
          value={form.readOnly ? 'readOnly' : 'writable'}
          options={[
            { value: 'writable', label: text('mount.access.writable') },
            { value: 'readOnly', label: text('mount.access.readOnly') },
          ]}
          onChange={(value) => onChange({ readOnly: value === 'readOnly' })}
          data-testid="mount-access"
        />
        <small className="om-quiet">{text('mount.access.help')}</small>
      </div>
      <div className="om-field">
        <span>{text('mount.lifetime')}</span>
        <Select
          aria-label={text('mount.lifetime')}
          data-testid="mount-lifetime"
          value={form.lifetimeSeconds}
          options={lifetimes}
          onChange={(lifetimeSeconds) => onChange({ lifetimeSeconds })}
        />
        <small className="om-quiet">{text('mount.lifetime.help')}</small>
      </div>
      {isLimited && <Quota form={form} isLimited onChange={onChange} />}
      <label>
        {text('mount.purpose')}
        <Input
          value={form.purpose}
          maxLength={PURPOSE_LENGTH_MAX}
          onChange={(event) => onChange({ purpose: event.target.value })}
          data-testid="mount-purpose"
        />
      </label>
      {!isLimited && <More form={form} onChange={onChange} />}
    </div>
  )
}

type PartProps = Pick<Props, 'form' | 'onChange'>

function Quota({ form, isLimited, onChange }: PartProps & { readonly isLimited: boolean }) {
  const text = useText(mediaMessages)
  return (
    <QuotaField
      label={text('mount.quota')}
      none={text('quota.none')}
      help={isLimited ? text('mount.quota.limited') : undefined}
      value={form.quotaGib}
      onChange={(quotaGib) => onChange({ quotaGib })}
      testId="mount-quota"
    />
  )
}

function More({ form, onChange }: PartProps) {
  const text = useText(mediaMessages)
  const isWrong = isPathWrong(form)
  return (
    <details className="om-more" data-testid="mount-more">
      <summary>{text('mount.more')}</summary>
      <div className="om-form">
        <label>
          {text('mount.path')}
          <Input
            value={form.mountPath}
            disabled={form.diskOnly}
            status={isWrong ? 'error' : ''}
            placeholder={text('mount.path.auto')}
            onChange={(event) => onChange({ mountPath: event.target.value.trim() })}
            data-testid="mount-path"
          />
          {isWrong && <small className="om-state-warning">{text('mount.path.wrong')}</small>}
        </label>
        <Checkbox
          checked={form.diskOnly}
          onChange={(event) => onChange({ diskOnly: event.target.checked })}
          data-testid="mount-disk-only"
        >
          {text('mount.diskOnly')}
        </Checkbox>
        <div className="om-field">
          <span>{text('mount.protocol')}</span>
          <Select
            aria-label={text('mount.protocol')}
            data-testid="mount-protocol"
            value={form.protocol}
            options={(['auto', 'local', 'nbd'] as const).map((value) => ({
              value,
              label: text(`mount.protocol.${value}`),
            }))}
            onChange={(protocol) => onChange({ protocol })}
          />
        </div>
        <Quota form={form} isLimited={false} onChange={onChange} />
      </div>
    </details>
  )
}
