import { CheckCircleOutlined, CloseCircleOutlined, StopOutlined } from '@ant-design/icons'
import type { AuditEntry } from '@openmaas/api/resources/audit'
import { useText } from '../../i18n/text.ts'
import { auditMessages } from './messages/text.ts'

const LOOKS = {
  ok: { icon: CheckCircleOutlined, colour: 'ok' },
  refused: { icon: StopOutlined, colour: 'warning' },
  failed: { icon: CloseCircleOutlined, colour: 'failed' },
} as const

export function Outcome({ outcome }: Pick<AuditEntry, 'outcome'>) {
  const text = useText(auditMessages)
  const { icon: Icon, colour } = LOOKS[outcome]
  return (
    <span className={`om-state om-state-${colour}`} data-state={outcome}>
      <Icon aria-hidden />
      {text(`outcome.${outcome}`)}
    </span>
  )
}
