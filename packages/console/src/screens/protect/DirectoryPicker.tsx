/** A directory of the host, typed or found by going into it; and what of it is left out. */
import { useState } from 'react'
import { FileOutlined, FolderFilled } from '@ant-design/icons'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import Button from 'antd/es/button'
import Input from 'antd/es/input'
import type { Host } from '@openmaas/api/resources/host'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { protectMessages } from './messages/text.ts'
import { childPath, crumbsOf } from './paths.ts'
import type { StepProps } from './ProtectPage.tsx'
import { directoryQuery } from './queries.ts'

interface Props extends StepProps {
  readonly host: Host
}

const RULE_ROWS = { minRows: 2, maxRows: 6 }

export function DirectoryPicker({ host, draft, onChange }: Props) {
  const text = useText(protectMessages)
  const [typed, setTyped] = useState<string | null>(null)
  const isFiles = (draft.kind ?? 'files') === 'files'
  const path = (isFiles ? draft.path : undefined) ?? '/'
  const choose = (chosen: string): void => {
    setTyped(null)
    onChange({ kind: 'files', path: chosen, name: undefined })
  }
  const take = (): void => {
    if (typed?.startsWith('/') === true) choose(typed.length > 1 ? typed.replace(/\/+$/, '') : '/')
  }
  return (
    <section data-testid="picker">
      <h2>{text('what.directory')}</h2>
      <Input
        value={typed ?? (isFiles ? (draft.path ?? '') : '')}
        placeholder="/srv/www"
        aria-label={text('what.directory')}
        status={typed !== null && typed !== '' && !typed.startsWith('/') ? 'error' : ''}
        onChange={(event) => setTyped(event.target.value)}
        onBlur={take}
        onPressEnter={take}
        data-testid="path"
      />
      {host.state === 'online' && isFiles && (
        <Listing hostId={host.id} path={path} onChoose={choose} />
      )}
      {isFiles && draft.path !== undefined && (
        <label className="om-wizard-rules">
          {text('what.exclude')}
          <Input.TextArea
            defaultValue={draft.exclude ?? ''}
            autoSize={RULE_ROWS}
            placeholder={'*.tmp\n/cache/'}
            onBlur={({ target }) =>
              onChange({ exclude: target.value.trim() === '' ? undefined : target.value })
            }
            data-testid="exclude"
          />
          <small className="om-quiet">{text('what.rules')}</small>
        </label>
      )}
    </section>
  )
}

interface ListingProps {
  readonly hostId: string
  readonly path: string
  readonly onChoose: (path: string) => void
}

function Listing({ hostId, path, onChoose }: ListingProps) {
  const text = useText(protectMessages)
  const format = useFormat()
  const { data, error, isFetching } = useQuery({
    ...directoryQuery(hostId, path),
    placeholderData: keepPreviousData,
  })
  const directories = data?.items.filter(({ kind }) => kind === 'directory') ?? []
  const others = data?.items.filter(({ kind }) => kind !== 'directory') ?? []
  return (
    <div className="om-listing" data-testid="listing" aria-busy={isFetching}>
      <nav className="om-listing-path" aria-label={text('what.directory')}>
        {crumbsOf(path).map(({ name, path: to }) => (
          <Button key={to} size="small" type="text" onClick={() => onChoose(to)}>
            {name}
          </Button>
        ))}
      </nav>
      {error !== null && <ProblemView error={error} />}
      <ul>
        {directories.map(({ name }) => (
          <li key={name}>
            <button
              type="button"
              onClick={() => onChoose(childPath(path, name))}
              data-testid={`directory-${name}`}
            >
              <FolderFilled aria-hidden /> {name}
            </button>
          </li>
        ))}
        {others.map(({ name, sizeBytes }) => (
          <li key={name} className="om-quiet">
            <FileOutlined aria-hidden /> {name} <small>{format.bytes(sizeBytes)}</small>
          </li>
        ))}
      </ul>
      {data?.items.length === 0 && <p className="om-quiet">{text('what.empty')}</p>}
      {data?.more === true && <p className="om-quiet">{text('what.more')}</p>}
    </div>
  )
}
