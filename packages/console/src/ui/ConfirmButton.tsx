/** A small verb that asks once before it does what cannot be taken back. */
import Button from 'antd/es/button'
import Popconfirm from 'antd/es/popconfirm'
import { useText } from '../i18n/text.ts'
import { uiMessages } from './messages/text.ts'

interface Props {
  readonly verb: string
  readonly question: string
  /** Instead of "No". */
  readonly no?: string
  readonly testId: string
  readonly confirmTestId?: string
  readonly size?: 'small' | 'middle'
  readonly isLoading?: boolean
  readonly onConfirm: () => void
}

export function ConfirmButton(props: Props) {
  const text = useText(uiMessages)
  const { verb, question, testId, confirmTestId = 'confirm', size = 'small' } = props
  return (
    <Popconfirm
      title={question}
      okText={verb}
      cancelText={props.no ?? text('no')}
      okButtonProps={{ 'data-testid': confirmTestId }}
      onConfirm={props.onConfirm}
    >
      <Button danger size={size} loading={props.isLoading === true} data-testid={testId}>
        {verb}
      </Button>
    </Popconfirm>
  )
}
