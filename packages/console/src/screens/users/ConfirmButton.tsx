import Button from 'antd/es/button'
import Popconfirm from 'antd/es/popconfirm'
import { useText } from '../../i18n/text.ts'
import { usersMessages } from './messages/text.ts'

type Verb = 'lock' | 'reset' | 'remove' | 'token.revoke'

interface Props {
  readonly name: Verb
  readonly confirm: `${Verb}.confirm`
  readonly testId: string
  readonly isLoading?: boolean
  readonly onConfirm: () => void
}

/** Asks once before it does what cannot be taken back. */
export function ConfirmButton({ name, confirm, testId, isLoading = false, onConfirm }: Props) {
  const text = useText(usersMessages)
  return (
    <Popconfirm
      title={text(confirm)}
      okText={text(name)}
      cancelText={text('no')}
      okButtonProps={{ 'data-testid': 'confirm' }}
      onConfirm={onConfirm}
    >
      <Button danger size="small" loading={isLoading} data-testid={testId}>
        {text(name)}
      </Button>
    </Popconfirm>
  )
}
