import Button from 'antd/es/button'
import Popconfirm from 'antd/es/popconfirm'
import { useText } from '../../i18n/text.ts'
import { notificationsMessages } from './messages/text.ts'

interface Props {
  readonly noun: 'channel' | 'rule'
  readonly testId: string
  readonly onConfirm: () => void
}

export function RemoveButton({ noun, testId, onConfirm }: Props) {
  const text = useText(notificationsMessages)
  return (
    <Popconfirm
      title={text(`remove.${noun}`)}
      okText={text('remove')}
      cancelText={text('no')}
      okButtonProps={{ 'data-testid': 'confirm' }}
      onConfirm={onConfirm}
    >
      <Button danger size="small" data-testid={testId}>
        {text('remove')}
      </Button>
    </Popconfirm>
  )
}
