/** What did you lose, how far back, how do you want it back: three questions on one page. */
import type { ReactNode } from 'react'
import { useSuspenseQuery } from '@tanstack/react-query'
import { Link, type LinkProps, useNavigate } from '@tanstack/react-router'
import Button from 'antd/es/button'
import { useMay } from '../../api/session.ts'
import { hasScreen } from '../../app/screens-present.ts'
import { useText } from '../../i18n/text.ts'
import { Empty } from '../../ui/Empty.tsx'
import { Page } from '../../ui/Page.tsx'
import { apiLine } from '../../ui/search-params.ts'
import { HowStep } from './HowStep.tsx'
import { recoverMessages } from './messages/text.ts'
import { type RecoverSearch, sourcesQuery } from './queries.ts'
import { recoverRoute } from './routes.ts'
import { usePoints } from './use-points.ts'
import { WhatStep } from './WhatStep.tsx'
import { WhenStep } from './WhenStep.tsx'
import './recover.css'

/** Answers a question; what is named undefined leaves the address. */
export type Answer = (changed: RecoverSearch) => void

export function RecoverPage() {
  const text = useText(recoverMessages)
  const search = recoverRoute.useSearch()
  const navigate = useNavigate({ from: '/recover' })
  const { data } = useSuspenseQuery(sourcesQuery)
  const answer: Answer = (changed) =>
    void navigate({ search: (old) => ({ ...old, ...changed }), resetScroll: false })
  const source = data.items.find(({ id }) => id === search.sourceId)
  const { points, chosen, ...rest } = usePoints(search)
  return (
    <Page title={text('title')} {...equivalents(search, chosen?.id)}>
      {data.items.length === 0 ? (
        <Nothing />
      ) : (
        <>
          <Question number={1} title={text('what.title')}>
            <WhatStep sources={data.items} source={source} search={search} onAnswer={answer} />
          </Question>
          <Question number={2} title={text('when.title')} isWaiting={source === undefined}>
            {source === undefined ? (
              <p className="om-quiet">{text('when.choose')}</p>
            ) : (
              <WhenStep
                source={source}
                points={points}
                chosen={chosen}
                search={search}
                onAnswer={answer}
                {...rest}
              />
            )}
          </Question>
          {source !== undefined && chosen !== undefined && (
            <Question number={3} title={text('how.title')}>
              <HowStep source={source} point={chosen} search={search} onAnswer={answer} />
            </Question>
          )}
        </>
      )}
    </Page>
  )
}

interface QuestionProps {
  readonly number: number
  readonly title: string
  readonly isWaiting?: boolean
  readonly children: ReactNode
}

function Question({ number, title, isWaiting = false, children }: QuestionProps) {
  return (
    <section className={`om-panel om-question${isWaiting ? ' om-question-waiting' : ''}`}>
      <h2>
        <span className="om-question-number" aria-hidden>
          {number}
        </span>
        {title}
      </h2>
      {children}
    </section>
  )
}

function Nothing() {
  const text = useText(recoverMessages)
  const may = useMay()
  const canProtect = hasScreen('/protect') && may('source.write')
  return (
    <Empty
      message={text('what.none')}
      action={
        canProtect && (
          <Link to={'/protect' as LinkProps['to'] & string} data-testid="protect-something">
            <Button type="primary" tabIndex={-1}>
              {text('what.protect')}
            </Button>
          </Link>
        )
      }
    />
  )
}

function equivalents({ q, sourceId, path }: RecoverSearch, pointId: string | undefined) {
  if (sourceId === undefined) {
    return {
      cli: `openmaas point find '${q ?? 'report.docx'}' --source <source>`,
      api: 'GET /api/v1/points/find?sourceId=…&pattern=…',
    }
  }
  if (pointId === undefined) {
    return {
      cli: `openmaas point list --source ${sourceId}`,
      api: apiLine('GET', '/api/v1/points', { 'filter[sourceId]': sourceId }),
    }
  }
  return {
    cli:
      path === undefined
        ? `openmaas point mount ${pointId} --to <host>`
        : `openmaas point restore ${pointId} '${path.slice(1)}' --to <directory>`,
    api: `POST /api/v1/points/${pointId}/${path === undefined ? 'mount' : 'restore'}`,
  }
}
