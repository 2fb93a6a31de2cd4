/** What the host found on itself: file systems, disks, databases; what is protected is said so. */
import { CheckCircleFilled, ReloadOutlined } from '@ant-design/icons'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import Button from 'antd/es/button'
import Skeleton from 'antd/es/skeleton'
import type { Host } from '@openmaas/api/resources/host'
import { DATABASE_KINDS } from '@openmaas/api/resources/database'
import type { AnswerOf } from '@openmaas/api/routes/routes'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { SourceKind } from '../sources/SourceKind.tsx'
import { protectMessages } from './messages/text.ts'
import type { StepProps } from './ProtectPage.tsx'
import { discoverQuery } from './queries.ts'

type Found = AnswerOf<'discoverHost'>['items'][number]

interface Props extends StepProps {
  readonly host: Host
}

export function Discovered({ host, draft, onChange }: Props) {
  const text = useText(protectMessages)
  const { data, error, isFetching, refetch } = useQuery({
    ...discoverQuery(host.id),
    enabled: host.state === 'online',
  })
  if (host.state !== 'online') return null
  return (
    <section data-testid="discovered">
      <h2>
        {text('what.found')}{' '}
        <Button
          size="small"
          type="text"
          icon={<ReloadOutlined spin={isFetching} />}
          aria-label={text('what.again')}
          title={text('what.again')}
          onClick={() => void refetch()}
          data-testid="discover-again"
        />
      </h2>
      {data === undefined && error === null && <Skeleton active paragraph={{ rows: 2 }} />}
      {error !== null && <ProblemView error={error} onRetry={() => void refetch()} />}
      {data?.items.length === 0 && <p className="om-quiet">{text('what.nothing')}</p>}
      <div className="om-choices" role="radiogroup" aria-label={text('what.found')}>
        {data?.items.map((found) => (
          <FoundChoice
            key={`${found.kind} ${found.path}`}
            found={found}
            isChosen={draft.path === found.path && (draft.kind ?? 'files') === found.kind}
            onChoose={() => onChange({ kind: found.kind, path: found.path, name: undefined })}
          />
        ))}
        {kindsOf(host).map((kind) => (
          <button
            key={kind}
            type="button"
            role="radio"
            aria-checked={draft.kind === kind && draft.path === undefined}
            className="om-choice"
            onClick={() => onChange({ kind, path: undefined, name: undefined })}
            data-testid={`by-address-${kind}`}
          >
            <strong>{text('what.byAddress')}</strong>
            <SourceKind kind={kind} />
          </button>
        ))}
      </div>
    </section>
  )
}

/** Those that every agent knows, and those that plug-ins of this host know. */
function kindsOf({ engines = [] }: Host): string[] {
  const usable = engines.filter(({ problem }) => problem === '')
  return [...new Set([...DATABASE_KINDS, ...usable.map(({ engine }) => engine)])]
}

interface ChoiceProps {
  readonly found: Found
  readonly isChosen: boolean
  readonly onChoose: () => void
}

function FoundChoice({ found, isChosen, onChoose }: ChoiceProps) {
  const text = useText(protectMessages)
  const format = useFormat()
  const { kind, path, sizeBytes, usedBytes, detail, sourceId } = found
  const size = usedBytes ?? sizeBytes
  // As agents say it, whose language is English.
  const said = detail.replace('not running', text('what.stopped'))
  return (
    <div className="om-found-item">
      <button
        type="button"
        role="radio"
        aria-checked={isChosen}
        className="om-choice"
        onClick={onChoose}
        data-testid={`found-${kind}`}
      >
        <strong className="om-path">
          {path} {isChosen && <CheckCircleFilled aria-hidden />}
        </strong>
        <SourceKind kind={kind} />
        <small className="om-quiet">
          {[size > 0 ? format.bytes(size) : '', said].filter((word) => word !== '').join(' · ')}
        </small>
      </button>
      {sourceId !== null && (
        <Link to="/sources/$sourceId" params={{ sourceId }} className="om-found-known">
          {text('what.known')}
        </Link>
      )}
    </div>
  )
}
