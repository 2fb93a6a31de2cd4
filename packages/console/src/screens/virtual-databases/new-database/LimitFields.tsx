/** How long a virtual database lasts, and how much it may write. */
import Select from 'antd/es/select'
import { useIsLimited } from '../../../api/session.ts'
import { useText } from '../../../i18n/text.ts'
import { QuotaField } from '../../../ui/QuotaField.tsx'
import type { CreateForm } from './create-form.ts'
import { newDatabaseMessages } from './messages/text.ts'
import { FOR_GOOD, useLifetimes } from './use-lifetimes.ts'

interface LimitFieldsProps {
  readonly wish: Pick<CreateForm, 'lifetimeSeconds' | 'quotaGib'>
  readonly onChange: (changed: Partial<LimitFieldsProps['wish']>) => void
  /** What it is for, in names for tests: `database`, `branch`, `group`. */
  readonly of: string
}

export function LimitFields({ wish, onChange, of }: LimitFieldsProps) {
  const text = useText(newDatabaseMessages)
  const isLimited = useIsLimited()
  const lifetimes = useLifetimes(isLimited)
  return (
    <>
      <div className="om-field">
        <span>{text('lifetime')}</span>
        <Select
          aria-label={text('lifetime')}
          value={wish.lifetimeSeconds ?? FOR_GOOD}
          options={lifetimes}
          onChange={(seconds) =>
            onChange({ lifetimeSeconds: seconds === FOR_GOOD ? null : seconds })
          }
          data-testid={`${of}-lifetime`}
        />
        <small className="om-quiet">{text('lifetime.help')}</small>
      </div>
      <QuotaField
        label={text('quota')}
        none={text('quota.none')}
        help={isLimited ? text('quota.limited') : undefined}
        value={wish.quotaGib}
        onChange={(quotaGib) => onChange({ quotaGib })}
        testId={`${of}-quota`}
      />
    </>
  )
}
