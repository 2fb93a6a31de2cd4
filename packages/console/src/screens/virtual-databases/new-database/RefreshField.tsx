/** Whether it is refreshed by itself, and how often. */
import Input from 'antd/es/input'
import { useText } from '../../../i18n/text.ts'
import { ChoiceField } from '../../../ui/fields.tsx'
import { type CreateForm, REFRESHES } from './create-form.ts'
import { newDatabaseMessages } from './messages/text.ts'

type Value = Pick<CreateForm, 'refresh' | 'cron'>

interface Props {
  readonly value: Value
  readonly onChange: (changed: Partial<Value>) => void
}

export const zoneOfBrowser = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone

export function RefreshField({ value, onChange }: Props) {
  const text = useText(newDatabaseMessages)
  return (
    <>
      <ChoiceField
        label={text('refresh')}
        value={value.refresh}
        options={REFRESHES.map((one) => ({ value: one, label: text(`refresh.${one}`) }))}
        onChange={(refresh) => onChange({ refresh })}
        testId="database-refresh"
      />
      {value.refresh === 'cron' && (
        <label>
          {text('cron', { zone: zoneOfBrowser() })}
          <Input
            value={value.cron}
            placeholder={text('cron.example')}
            onChange={(event) => onChange({ cron: event.target.value })}
            data-testid="database-cron"
          />
        </label>
      )}
    </>
  )
}
