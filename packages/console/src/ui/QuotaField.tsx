/** How much a clone may write, in GiB; nothing: as much as there is room for. */
import InputNumber from 'antd/es/input-number'

const QUOTA_GIB_MAX = 1_000_000
/** Of a small database, whose volume bounds it, less than one. */
const QUOTA_GIB_MIN = 0.1

interface QuotaFieldProps {
  readonly label: string
  /** What is shown while nothing is chosen. */
  readonly none: string
  readonly help?: string | undefined
  readonly value: number | null
  readonly onChange: (gib: number | null) => void
  readonly testId: string
}

export function QuotaField({ label, none, help, value, onChange, testId }: QuotaFieldProps) {
  return (
    <label>
      {label}
      <InputNumber
        min={QUOTA_GIB_MIN}
        max={QUOTA_GIB_MAX}
        value={value}
        placeholder={none}
        style={{ width: '100%' }}
        onChange={onChange}
        data-testid={testId}
      />
      {help !== undefined && <small className="om-quiet">{help}</small>}
    </label>
  )
}
