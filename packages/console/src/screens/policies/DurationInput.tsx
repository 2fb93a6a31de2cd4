import InputNumber from 'antd/es/input-number'
import Select from 'antd/es/select'
import Space from 'antd/es/space'
import { useText } from '../../i18n/text.ts'
import { policiesMessages } from './messages/text.ts'
import { toAmount, toDuration, type Unit, UNITS } from './policy-form.ts'

interface Props {
  /** `15m` */
  readonly value: string
  readonly label: string
  readonly onChange: (duration: string) => void
  readonly testId: string
}

/** Of the API: five digits. */
const COUNT_MAX = 99_999

export function DurationInput({ value, label, onChange, testId }: Props) {
  const text = useText(policiesMessages)
  const amount = toAmount(value)
  return (
    <Space.Compact block>
      <InputNumber
        min={1}
        max={COUNT_MAX}
        precision={0}
        aria-label={label}
        value={amount.count}
        onChange={(count) => onChange(toDuration({ ...amount, count: count ?? 1 }))}
        data-testid={testId}
      />
      <Select<Unit>
        aria-label={text('unit')}
        value={amount.unit}
        style={{ minWidth: 110 }}
        options={UNITS.map((unit) => ({ value: unit, label: text(`unit.${unit}`) }))}
        onChange={(unit) => onChange(toDuration({ ...amount, unit }))}
        data-testid={`${testId}-unit`}
      />
    </Space.Compact>
  )
}
