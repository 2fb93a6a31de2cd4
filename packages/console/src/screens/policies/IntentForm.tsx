/** What most people want to say: how old at most, what is kept, what is proved, for whom. */
import Input from 'antd/es/input'
import InputNumber from 'antd/es/input-number'
import Select from 'antd/es/select'
import Switch from 'antd/es/switch'
import Checkbox from 'antd/es/checkbox'
import { useText } from '../../i18n/text.ts'
import { ChoiceField } from '../../ui/fields.tsx'
import { parseLabel } from '../../ui/label-text.ts'
import { DurationInput } from './DurationInput.tsx'
import { policiesMessages } from './messages/text.ts'
import type { FormProps } from './PolicyEditor.tsx'
import { RULES } from './PolicyPromise.tsx'

const KEEP_MAX = 100_000
const LOCK_DAYS_MAX = 36_500
const VERIFIED_POINTS = ['newest', 'each'] as const
const VERIFY_DEFAULT = { every: '1w', data: false, points: 'newest' } as const

export function IntentForm(props: FormProps) {
  const { form, problems, onChange, onSpec } = props
  const text = useText(policiesMessages)
  return (
    <>
      <label>
        {text('name')}
        <Input
          value={form.name}
          onChange={(event) => onChange({ name: event.target.value })}
          data-testid="policy-name"
        />
      </label>
      <div className="om-field">
        {text('rpo')}
        <DurationInput
          value={form.spec.rpo}
          label={text('rpo')}
          onChange={(rpo) => onSpec({ rpo })}
          testId="rpo"
        />
        <Problem text={problems.get('rpo')} />
      </div>
      <Retention {...props} />
      <Verify {...props} />
      <label>
        {text('lockDays')}
        <InputNumber
          min={0}
          max={LOCK_DAYS_MAX}
          value={form.spec.lockDays}
          suffix={text('days')}
          onChange={(lockDays) => onSpec({ lockDays: lockDays ?? 0 })}
          data-testid="lock-days"
        />
        <small className="om-quiet">{text('lockDays.detail')}</small>
      </label>
      <div className="om-field">
        {text('selector')}
        <Select
          mode="tags"
          open={false}
          suffixIcon={null}
          aria-label={text('selector')}
          placeholder={text('selector.none')}
          tokenSeparators={[',', ' ']}
          value={[...form.selector]}
          onChange={(texts) =>
            onChange({ selector: texts.filter((one) => parseLabel(one) !== null) })
          }
          style={{ width: '100%' }}
          data-testid="selector"
        />
        <small className="om-quiet">{text('selector.detail')}</small>
      </div>
      <span className="om-switch">
        <Switch
          checked={form.enabled}
          aria-label={text('enabled')}
          onChange={(enabled) => onChange({ enabled })}
          data-testid="enabled"
        />
        {text('enabled')}
      </span>
    </>
  )
}

export function Problem({ text }: { readonly text: string | undefined }) {
  if (text === undefined) return null
  return <small className="om-state-failed">{text}</small>
}

function Retention({ form, problems, onSpec }: FormProps) {
  const text = useText(policiesMessages)
  const { retention } = form.spec
  return (
    <div className="om-field" role="group" aria-label={text('retention')}>
      {text('retention')}
      <div className="om-retention">
        {RULES.map((rule) => (
          <label key={rule}>
            <small className="om-quiet">{text(`rule.${rule}`)}</small>
            <InputNumber
              min={0}
              max={KEEP_MAX}
              precision={0}
              value={retention[rule]}
              onChange={(count) => onSpec({ retention: { ...retention, [rule]: count ?? 0 } })}
              data-testid={`keep-${rule}`}
            />
          </label>
        ))}
      </div>
      <Problem text={problems.has('retention') ? text('retention.nothing') : undefined} />
    </div>
  )
}

function Verify({ form, problems, onSpec }: FormProps) {
  const text = useText(policiesMessages)
  const { verify } = form.spec
  return (
    <div>
      <span className="om-switch">
        <Switch
          checked={verify !== null}
          aria-label={text('verify')}
          onChange={(isOn) => onSpec({ verify: isOn ? VERIFY_DEFAULT : null })}
          data-testid="verify"
        />
        {text('verify')}
      </span>
      {verify !== null && (
        <div className="om-nested">
          <ChoiceField
            label={text('verify.points')}
            value={verify.points}
            options={VERIFIED_POINTS.map((points) => ({
              value: points,
              label: text(`verify.points.${points}`),
            }))}
            onChange={(points) => onSpec({ verify: { ...verify, points } })}
            testId="verify-points"
          />
          <DurationInput
            value={verify.every}
            label={text(verify.points === 'each' ? 'verify.again' : 'verify.every')}
            onChange={(every) => onSpec({ verify: { ...verify, every } })}
            testId="verify-every"
          />
          <Checkbox
            checked={verify.data}
            onChange={(event) => onSpec({ verify: { ...verify, data: event.target.checked } })}
            data-testid="verify-data"
          >
            {text('verify.data')}
          </Checkbox>
          <Problem text={problems.get('verify')} />
        </div>
      )}
    </div>
  )
}
