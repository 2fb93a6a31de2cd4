/** When exactly, and what goes first: cron, time zone, windows, days off. */
import { DeleteOutlined, PlusOutlined } from '@ant-design/icons'
import Button from 'antd/es/button'
import Input from 'antd/es/input'
import InputNumber from 'antd/es/input-number'
import Select from 'antd/es/select'
import { weekday, type Blackout, type TimeWindow, type Weekday } from '@openmaas/api/policy'
import { useText } from '../../i18n/text.ts'
import { useLanguage } from '../../i18n/use-language.ts'
import { Problem } from './IntentForm.tsx'
import { policiesMessages } from './messages/text.ts'
import type { FormProps } from './PolicyEditor.tsx'

const PRIORITY_MAX = 1000

export function ExpertForm(props: FormProps) {
  const { form, problems, onChange, onSpec } = props
  const text = useText(policiesMessages)
  const { spec } = form
  return (
    <div className="om-form">
      <label>
        {text('timezone')}
        <Input
          value={spec.timezone}
          onChange={(event) => onSpec({ timezone: event.target.value })}
          data-testid="timezone"
        />
        <Problem text={problems.get('timezone')} />
      </label>
      <label>
        {text('cron')}
        <Input
          value={spec.cron ?? ''}
          placeholder="0 22 * * 1-5"
          onChange={({ target }) => onSpec({ cron: target.value === '' ? null : target.value })}
          data-testid="cron"
        />
        <small className="om-quiet">{text('cron.detail')}</small>
        <Problem text={problems.get('cron')} />
      </label>
      <Windows {...props} />
      <Blackouts {...props} />
      <div className="om-field">
        {text('catchUp')}
        <Select
          aria-label={text('catchUp')}
          value={spec.catchUp}
          style={{ width: '100%' }}
          options={[
            { value: 'once', label: text('catchUp.once') },
            { value: 'skip', label: text('catchUp.skip') },
          ]}
          onChange={(catchUp: 'once' | 'skip') => onSpec({ catchUp })}
          data-testid="catch-up"
        />
      </div>
      <label>
        {text('priority')}
        <InputNumber
          min={-PRIORITY_MAX}
          max={PRIORITY_MAX}
          precision={0}
          value={form.priority}
          onChange={(priority) => onChange({ priority: priority ?? 0 })}
          data-testid="priority"
        />
        <small className="om-quiet">{text('priority.detail')}</small>
      </label>
    </div>
  )
}

const NIGHT: TimeWindow = { days: [...weekday.options], from: '22:00', to: '06:00' }
/** January 1st, 2024 was a Monday, as the first of the list is. */
const dayName = (index: number, language: string): string =>
  new Date(2024, 0, 1 + index).toLocaleDateString(language, { weekday: 'short' })

function Windows({ form, problems, onSpec }: FormProps) {
  const text = useText(policiesMessages)
  const language = useLanguage()
  const { windows } = form.spec
  const change = (index: number, changed: Partial<TimeWindow>): void =>
    onSpec({ windows: windows.map((own, at) => (at === index ? { ...own, ...changed } : own)) })
  return (
    <div className="om-field" role="group" aria-label={text('windows')}>
      {text('windows')}
      <small className="om-quiet">{text('windows.detail')}</small>
      {windows.map((own, index) => (
        // A window has no name but its place.
        <div key={index} className="om-row">
          <Select
            mode="multiple"
            aria-label={text('windows.days')}
            value={own.days}
            style={{ flex: '1 1 200px' }}
            options={weekday.options.map((day, at) => ({
              value: day,
              label: dayName(at, language),
            }))}
            onChange={(days: Weekday[]) => days.length > 0 && change(index, { days })}
          />
          <Input
            type="time"
            aria-label={text('windows.from')}
            value={own.from}
            onChange={({ target }) => change(index, { from: target.value })}
          />
          <Input
            type="time"
            aria-label={text('windows.to')}
            value={own.to}
            onChange={({ target }) => change(index, { to: target.value })}
          />
          <Remove onClick={() => onSpec({ windows: windows.filter((_, at) => at !== index) })} />
        </div>
      ))}
      <Button
        size="small"
        icon={<PlusOutlined />}
        onClick={() => onSpec({ windows: [...windows, NIGHT] })}
        data-testid="add-window"
      >
        {text('windows.add')}
      </Button>
      <Problem text={problems.get('windows')} />
    </div>
  )
}

function Blackouts({ form, problems, onSpec }: FormProps) {
  const text = useText(policiesMessages)
  const { blackout } = form.spec
  const change = (index: number, changed: Partial<Blackout>): void =>
    onSpec({ blackout: blackout.map((own, at) => (at === index ? { ...own, ...changed } : own)) })
  const add = (): void => {
    const today = new Date().toISOString().slice(0, 10)
    onSpec({ blackout: [...blackout, { from: today, to: today, reason: '' }] })
  }
  return (
    <div className="om-field" role="group" aria-label={text('blackout')}>
      {text('blackout')}
      {blackout.map((own, index) => (
        <div key={index} className="om-row">
          <Input
            type="date"
            aria-label={text('blackout.from')}
            value={own.from}
            onChange={({ target }) => change(index, { from: target.value })}
          />
          <Input
            type="date"
            aria-label={text('blackout.to')}
            value={own.to}
            onChange={({ target }) => change(index, { to: target.value })}
          />
          <Input
            aria-label={text('blackout.reason')}
            placeholder={text('blackout.reason')}
            value={own.reason}
            style={{ flex: '1 1 140px' }}
            onChange={({ target }) => change(index, { reason: target.value })}
          />
          <Remove onClick={() => onSpec({ blackout: blackout.filter((_, at) => at !== index) })} />
        </div>
      ))}
      <Button size="small" icon={<PlusOutlined />} onClick={add} data-testid="add-blackout">
        {text('blackout.add')}
      </Button>
      <Problem text={problems.get('blackout')} />
    </div>
  )
}

function Remove({ onClick }: { readonly onClick: () => void }) {
  const text = useText(policiesMessages)
  return (
    <Button
      type="text"
      icon={<DeleteOutlined />}
      aria-label={text('row.remove')}
      title={text('row.remove')}
      onClick={onClick}
    />
  )
}
