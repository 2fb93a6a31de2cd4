import Skeleton from 'antd/es/skeleton'
import { useText } from '../i18n/text.ts'
import { uiMessages } from './messages/text.ts'

/** The shape of what comes, rather than a wheel. */
export function PageLoading() {
  const text = useText(uiMessages)
  return (
    <div role="status" aria-label={text('loading')} data-testid="loading">
      <Skeleton active paragraph={{ rows: 8 }} />
    </div>
  )
}
