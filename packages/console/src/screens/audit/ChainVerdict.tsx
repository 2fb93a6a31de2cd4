import Alert from 'antd/es/alert'
import type { AnswerOf } from '@openmaas/api/routes/routes'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { auditMessages } from './messages/text.ts'

export function ChainVerdict({ verdict }: { readonly verdict: AnswerOf<'verifyAudit'> }) {
  const text = useText(auditMessages)
  const format = useFormat()
  const { intact, checked, since, brokenAt, problem } = verdict
  const good =
    since === null
      ? text('verify.empty')
      : text('verify.intact', { count: checked, since: format.exact(since) })
  const bad = text('verify.broken', { seq: brokenAt ?? '–', problem: problem ?? '' })
  return (
    <div role="status" data-testid="verdict" data-state={intact ? 'ok' : 'failed'}>
      <Alert
        showIcon
        role="presentation"
        type={intact ? 'success' : 'error'}
        title={intact ? good : bad}
        style={{ marginBottom: 16 }}
      />
    </div>
  )
}
