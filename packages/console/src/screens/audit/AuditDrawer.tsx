/** One entry whole: who, from where, what it changed, and how it hangs in the chain. */
import Descriptions from 'antd/es/descriptions'
import Drawer from 'antd/es/drawer'
import type { AuditEntry } from '@openmaas/api/resources/audit'
import { useText } from '../../i18n/text.ts'
import { CopyButton } from '../../ui/CopyButton.tsx'
import { Time } from '../../ui/Time.tsx'
import { changesOf } from './changes.ts'
import { auditMessages } from './messages/text.ts'
import { Outcome } from './Outcome.tsx'

interface Props {
  readonly entry: AuditEntry
  readonly onClose: () => void
}

export function AuditDrawer({ entry, onClose }: Props) {
  const text = useText(auditMessages)
  const code = (value: string) => (
    <span>
      <code className="om-code">{value}</code>
      <CopyButton value={value} />
    </span>
  )
  const items = [
    { label: text('at'), children: <Time at={entry.at} /> },
    { label: text('outcome'), children: <Outcome outcome={entry.outcome} /> },
    { label: text('actor'), children: code(entry.actor) },
    { label: text('address'), children: entry.address },
    { label: text('object'), children: code(entry.object) },
    { label: text('reason'), children: entry.reason ?? '–' },
    { label: text('request'), children: code(entry.requestId) },
    { label: text('hash'), children: code(entry.hash) },
    { label: text('previous'), children: code(entry.previousHash) },
  ]
  return (
    <Drawer
      open
      size="min(720px, 100vw)"
      title={`${text('entry', { seq: entry.seq })} · ${entry.action}`}
      closable={{ 'aria-label': text('close') }}
      onClose={onClose}
    >
      <div data-testid="audit-entry">
        <Descriptions
          size="small"
          styles={{ label: { color: 'var(--om-quiet)' } }}
          column={1}
          items={items.map((item) => ({ ...item, key: item.label }))}
        />
        <h3>{text('changed')}</h3>
        <Changes entry={entry} />
      </div>
    </Drawer>
  )
}

function Changes({ entry }: { readonly entry: AuditEntry }) {
  const text = useText(auditMessages)
  const changes = changesOf(entry.before, entry.after)
  if (changes.length === 0) return <p className="om-quiet">{text('changed.none')}</p>
  const cell = { padding: 6, textAlign: 'start', verticalAlign: 'top' } as const
  return (
    <table style={{ width: '100%', tableLayout: 'fixed' }} data-testid="changes">
      <thead>
        <tr>
          <th style={cell}>{text('changed.field')}</th>
          <th style={cell}>{text('before')}</th>
          <th style={cell}>{text('after')}</th>
        </tr>
      </thead>
      <tbody>
        {changes.map(({ field, before, after }) => (
          <tr key={field} style={{ borderTop: '1px solid var(--om-line)' }}>
            <td style={{ ...cell, overflowWrap: 'anywhere' }}>{field}</td>
            <td style={cell}>
              <code className="om-code om-state-failed">{before ?? '–'}</code>
            </td>
            <td style={cell}>
              <code className="om-code om-state-ok">{after ?? '–'}</code>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}
