import { Link } from '@tanstack/react-router'
import type { Status } from '@openmaas/api/resources/status'
import { hasScreen } from '../../app/screens-present.ts'
import { useText } from '../../i18n/text.ts'
import { Empty } from '../../ui/Empty.tsx'
import { StateTag } from '../../ui/StateTag.tsx'
import { dashboardMessages } from './messages/text.ts'

/** Worst first, each with its reason in words. */
export function Attention({ rows }: { readonly rows: Status['attention'] }) {
  const text = useText(dashboardMessages)
  return (
    <section className="om-panel" data-testid="attention">
      <h2>{text('attention')}</h2>
      {rows.length === 0 && <Empty message={text('attention.none')} />}
      <ul className="om-steps">
        {rows.map(({ sourceId, name, state, reasons }) => (
          <li key={sourceId} data-testid={`attention-${sourceId}`}>
            {/* The promise is kept until now; its next run cannot be. */}
            <StateTag state={state === 'compliant' ? 'warning' : state} />
            {hasScreen('/sources/$sourceId') ? (
              <Link to={`/sources/${sourceId}` as string}>{name}</Link>
            ) : (
              <strong>{name}</strong>
            )}
            <span>{reasons.map((reason) => reason.text).join('; ')}</span>
          </li>
        ))}
      </ul>
    </section>
  )
}
