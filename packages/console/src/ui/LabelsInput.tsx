import Select from 'antd/es/select'
import { useText } from '../i18n/text.ts'
import { labelTexts, parseLabel, toLabels, type Labels } from './label-text.ts'
import { uiMessages } from './messages/text.ts'

interface Props {
  readonly value: Labels
  readonly onChange: (labels: Record<string, string>) => void
  /** For those who do not see the text beside it. */
  readonly label: string
  readonly testId: string
}

/** Typed as `env=prod`; what is no label does not stay. */
export function LabelsInput({ value, onChange, label, testId }: Props) {
  const text = useText(uiMessages)
  return (
    <Select
      mode="tags"
      open={false}
      suffixIcon={null}
      aria-label={label}
      placeholder={text('labels.example')}
      tokenSeparators={[',', ' ']}
      value={labelTexts(value)}
      onChange={(texts) => onChange(toLabels(texts.filter((one) => parseLabel(one) !== null)))}
      style={{ width: '100%' }}
      data-testid={testId}
    />
  )
}
