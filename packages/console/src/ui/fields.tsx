/** A labelled field of a form, in the kinds that most forms are made of. */
import Input, { type InputProps } from 'antd/es/input'
import Select from 'antd/es/select'

type Taken = 'autoFocus' | 'autoComplete' | 'disabled' | 'placeholder' | 'type'

interface TextProps extends Pick<InputProps, Taken> {
  readonly label: string
  readonly value: string
  readonly onChange: (value: string) => void
  readonly testId: string
}

export function TextField({ label, value, onChange, testId, ...more }: TextProps) {
  return (
    <label>
      {label}
      <Input
        {...more}
        value={value}
        onChange={(event) => onChange(event.target.value)}
        data-testid={testId}
      />
    </label>
  )
}

interface Option<V> {
  readonly value: V
  readonly label: string
}

interface ChoiceProps<V> {
  readonly label: string
  readonly value: V
  readonly options: readonly Option<V>[]
  readonly onChange: (value: V) => void
  readonly testId: string
}

export function ChoiceField<V extends string>(props: ChoiceProps<V>) {
  const { label, value, options, onChange, testId } = props
  return (
    <div>
      {label}
      <Select<V, Option<V>>
        aria-label={label}
        value={value}
        style={{ width: '100%' }}
        options={[...options]}
        onChange={(chosen) => onChange(chosen)}
        data-testid={testId}
      />
    </div>
  )
}

interface ChoicesProps<V> extends Omit<ChoiceProps<V>, 'value' | 'onChange'> {
  /** What nothing chosen means. */
  readonly placeholder?: string
  readonly value: readonly V[]
  readonly onChange: (value: readonly V[]) => void
}

export function ChoicesField<V extends string>(props: ChoicesProps<V>) {
  const { label, placeholder = '', value, options, onChange, testId } = props
  return (
    <div>
      {label}
      <Select<readonly V[], Option<V>>
        mode="multiple"
        aria-label={label}
        placeholder={placeholder}
        value={value}
        style={{ width: '100%' }}
        options={[...options]}
        onChange={(chosen) => onChange(chosen)}
        data-testid={testId}
      />
    </div>
  )
}
