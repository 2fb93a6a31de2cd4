/** What a job says, live: by level, held still for reading, copied or saved. */
import { useState } from 'react'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import Button from 'antd/es/button'
import Select from 'antd/es/select'
import type { AnswerOf } from '@openmaas/api/routes/routes'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { CopyButton } from '../../ui/CopyButton.tsx'
import { downloadText } from '../../ui/csv.ts'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { StateTag } from '../../ui/StateTag.tsx'
import { jobsMessages } from './messages/text.ts'
import { jobLogQuery } from './queries.ts'
import { jobRoute } from './routes.ts'

type Line = AnswerOf<'getJobLog'>['items'][number]

/** The newest lines at the end, as a terminal has them. */
export function JobLog({ jobId }: { readonly jobId: string }) {
  const text = useText(jobsMessages)
  const { level } = jobRoute.useSearch()
  const { data, error } = useQuery({
    ...jobLogQuery(jobId, level),
    placeholderData: keepPreviousData,
  })
  /** What was shown when it was paused; lines go on being fetched. */
  const [paused, setPaused] = useState<readonly Line[]>()
  const lines = paused ?? data?.items.toReversed() ?? []
  const plain = lines.map((line) => `${line.at} ${line.level} ${line.code} ${line.text}`).join('\n')
  return (
    <section className="om-panel">
      <h2>{text('log')}</h2>
      <div className="om-filters">
        <LevelSelect />
        <Button
          onClick={() => setPaused(paused === undefined ? lines : undefined)}
          aria-pressed={paused !== undefined}
          data-testid="log-pause"
        >
          {text(paused === undefined ? 'log.pause' : 'log.resume')}
        </Button>
        <Button
          disabled={lines.length === 0}
          onClick={() => downloadText(`${jobId}.log`, `${plain}\n`, 'text/plain')}
          data-testid="log-download"
        >
          {text('log.download')}
        </Button>
        <CopyButton value={plain} />
        {paused !== undefined && (
          <span role="status" className="om-quiet">
            {text('log.paused')}
          </span>
        )}
      </div>
      {error !== null && <ProblemView error={error} />}
      {data?.next !== null && data !== undefined && <p>{text('log.more')}</p>}
      {lines.length === 0 && <p className="om-quiet">{text('log.empty')}</p>}
      {lines.length > 0 && <Lines lines={lines} />}
    </section>
  )
}

const LEVELS = ['all', 'warning', 'error'] as const

function LevelSelect() {
  const text = useText(jobsMessages)
  const { level } = jobRoute.useSearch()
  const navigate = useNavigate({ from: '/jobs/$jobId' })
  return (
    <Select<(typeof LEVELS)[number]>
      aria-label={text('log.level')}
      data-testid="log-level"
      value={level ?? 'all'}
      style={{ minWidth: 180 }}
      options={LEVELS.map((value) => ({ value, label: text(`log.${value}`) }))}
      onChange={(chosen) =>
        void navigate({ search: chosen === 'all' ? {} : { level: chosen }, replace: true })
      }
    />
  )
}

function Lines({ lines }: { readonly lines: readonly Line[] }) {
  const text = useText(jobsMessages)
  const format = useFormat()
  return (
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
  )
}
