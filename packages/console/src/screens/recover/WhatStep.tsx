/** A source, or a file by its name in every point of the sources that were captured last. */
import { useEffect, useState } from 'react'
import Button from 'antd/es/button'
import Input from 'antd/es/input'
import type { Source } from '@openmaas/api/resources/source'
import { useMay } from '../../api/session.ts'
import { useText } from '../../i18n/text.ts'
import { Time } from '../../ui/Time.tsx'
import { SourceKind } from '../sources/SourceKind.tsx'
import { matchingSources, PATTERN_LENGTH_MIN, SOURCES_SHOWN_MAX } from './choice.ts'
import { FoundFiles } from './FoundFiles.tsx'
import { recoverMessages } from './messages/text.ts'
import type { RecoverSearch } from './queries.ts'
import type { Answer } from './RecoverPage.tsx'

/** While somebody types, nothing is looked for. */
const SETTLED_AFTER_MS = 350

interface Props {
  readonly sources: readonly Source[]
  /** The one that was chosen. */
  readonly source: Source | undefined
  readonly search: RecoverSearch
  readonly onAnswer: Answer
}

export function WhatStep({ sources, source, search, onAnswer }: Props) {
  if (source !== undefined) {
    return <Chosen source={source} path={search.path} onAnswer={onAnswer} />
  }
  return <Choosing sources={sources} search={search} onAnswer={onAnswer} />
}

function Chosen({
  source,
  path,
  onAnswer,
}: {
  readonly source: Source
  readonly path: string | undefined
  readonly onAnswer: Answer
}) {
  const text = useText(recoverMessages)
  const nothing = { sourceId: undefined, path: undefined, pointId: undefined, at: undefined }
  return (
    <div className="om-chosen" data-testid="chosen-what">
      <SourceKind kind={source.kind} />
      <strong>{source.name}</strong>
      {path === undefined ? (
        <span className="om-quiet">{text('what.all')}</span>
      ) : (
        <code className="om-code">{path}</code>
      )}
      <span className="om-space" />
      <Button onClick={() => onAnswer({ ...nothing, how: undefined })} data-testid="change-what">
        {text('what.change')}
      </Button>
    </div>
  )
}

function Choosing({ sources, search, onAnswer }: Omit<Props, 'source'>) {
  const text = useText(recoverMessages)
  const may = useMay()
  const [typed, setTyped] = useState(search.q ?? '')
  const wanted = search.q ?? ''
  useEffect(() => {
    const q = typed.trim()
    if (q === (search.q ?? '')) return
    const timer = setTimeout(() => {
      onAnswer({ q: q === '' ? undefined : q })
    }, SETTLED_AFTER_MS)
    return () => clearTimeout(timer)
  })
  const matching = matchingSources(sources, wanted)
  return (
    <>
      <Input
        size="large"
        autoFocus
        allowClear
        value={typed}
        placeholder={text('what.example')}
        aria-label={text('what.search')}
        onChange={(event) => setTyped(event.target.value)}
        onPressEnter={() => onAnswer({ q: typed.trim() === '' ? undefined : typed.trim() })}
        data-testid="recover-search"
      />
      <h3>{text('what.sources')}</h3>
      {matching.length === 0 && <p className="om-quiet">{text('what.noSource')}</p>}
      <ul className="om-choices" data-testid="recover-sources">
        {matching.slice(0, SOURCES_SHOWN_MAX).map((source) => (
          <li key={source.id}>
            <SourceChoice source={source} onAnswer={onAnswer} />
          </li>
        ))}
      </ul>
      {matching.length > SOURCES_SHOWN_MAX && (
        <p className="om-quiet">{text('what.moreSources')}</p>
      )}
      {wanted.length >= PATTERN_LENGTH_MIN && may('point.browse') && (
        <FoundFiles sources={sources} pattern={wanted} onAnswer={onAnswer} />
      )}
    </>
  )
}

function SourceChoice({
  source,
  onAnswer,
}: {
  readonly source: Source
  readonly onAnswer: Answer
}) {
  const text = useText(recoverMessages)
  const { id, name, path, kind, lastSuccessAt } = source
  return (
    <button
      type="button"
      className="om-choice-row"
      onClick={() => onAnswer({ sourceId: id, path: undefined, pointId: undefined })}
      data-testid={`recover-source-${name}`}
    >
      <SourceKind kind={kind} />
      <strong>{name}</strong>
      <span className="om-quiet om-choice-path">{path}</span>
      <span className="om-quiet om-choice-when">
        {lastSuccessAt === null ? (
          text('what.noPoint')
        ) : (
          <>
            {text('what.newest')} <Time at={lastSuccessAt} />
          </>
        )}
      </span>
    </button>
  )
}
