import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import Select from 'antd/es/select'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { CopyButton } from '../../ui/CopyButton.tsx'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { StateTag } from '../../ui/StateTag.tsx'
import { jobsMessages } from './messages/text.ts'
import { jobLogQuery } from './queries.ts'
import { jobRoute } from './routes.ts'

/** The newest lines at the end, as a terminal has them. */
export function JobLog({ jobId }: { readonly jobId: string }) {
  const text = useText(jobsMessages)
  const format = useFormat()
  const { level } = jobRoute.useSearch()
  const navigate = useNavigate({ from: '/jobs/$jobId' })
  const { data, error } = useQuery({
    ...jobLogQuery(jobId, level),
    placeholderData: keepPreviousData,
  })
  const lines = data?.items.toReversed() ?? []
  const copied = lines.map((line) => `${line.at} ${line.level} ${line.code} ${line.text}`)
  const levels = [
    { value: 'all', label: text('log.all') },
    { value: 'warning', label: text('log.warning') },
    { value: 'error', label: text('log.error') },
  ] as const
  return (
    <section className="om-panel">
      <h2>
        {text('log')} <CopyButton value={copied.join('\n')} />
      </h2>
      <div className="om-filters">
        <Select
          aria-label={text('log.level')}
          data-testid="log-level"
          value={level ?? 'all'}
          style={{ minWidth: 180 }}
          options={[...levels]}
          onChange={(chosen) =>
            void navigate({
              search: chosen === 'all' ? {} : { level: chosen as 'warning' | 'error' },
              replace: true,
            })
          }
        />
      </div>
      {error !== null && <ProblemView error={error} />}
      {data?.next !== null && data !== undefined && <p>{text('log.more')}</p>}
      {lines.length === 0 && <p className="om-quiet">{text('log.empty')}</p>}
      {lines.length > 0 && (
        // Scrolled by keyboard too.
        <ol className="om-steps om-log" tabIndex={0} aria-label={text('log')} data-testid="log">
          {lines.map((line) => (
            <li key={line.seq}>
              <span className="om-quiet">{format.exact(line.at)}</span>
              {line.level !== 'info' && (
                <StateTag state={line.level === 'error' ? 'failed' : 'warning'} />
              )}
              <span className="om-code">{line.text}</span>
            </li>
          ))}
        </ol>
      )}
    </section>
  )
}
