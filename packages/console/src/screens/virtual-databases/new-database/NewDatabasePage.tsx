/** A database of any second: which one, which moment, where; beside it what will happen. */
import { useState } from 'react'
import { useQuery, useSuspenseQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import Select from 'antd/es/select'
import { isDatabaseKind, type Source } from '@openmaas/api/resources/source'
import { useIsLimited } from '../../../api/session.ts'
import { useText } from '../../../i18n/text.ts'
import { Page } from '../../../ui/Page.tsx'
import { ProblemView } from '../../../ui/ProblemView.tsx'
import { databasesMessages } from '../messages/text.ts'
import { newDatabaseRoute } from '../routes.ts'
import { CreatePanels } from './CreatePanels.tsx'
import { newDatabaseMessages } from './messages/text.ts'
import { agentsQuery, sourcesQuery } from './queries.ts'
import '../virtual-databases.css'

/** Something can be made of it, by whoever asks. */
const isUsable = ({ lastPointId, database }: Source, isLimited: boolean): boolean =>
  lastPointId !== null && (!isLimited || (database?.selfService ?? 'off') !== 'off')

export function NewDatabasePage() {
  const text = useText(newDatabaseMessages)
  const list = useText(databasesMessages)
  const search = newDatabaseRoute.useSearch()
  const { data } = useSuspenseQuery(sourcesQuery)
  const hosts = useQuery(agentsQuery)
  const sources = data.items.filter(({ kind }) => isDatabaseKind(kind))
  const isLimited = useIsLimited()
  const usable = sources.filter((one) => isUsable(one, isLimited))
  const only = usable.length === 1 ? usable[0] : undefined
  const source = sources.find(({ id }) => id === search.sourceId) ?? only
  const [cli, setCli] = useState('openmaas vdb create <source>')
  return (
    <Page
      title={text('title')}
      crumbs={[{ label: list('title'), to: '/virtual-databases' }]}
      cli={cli}
      api="POST /api/v1/virtual-databases"
    >
      {hosts.error !== null && <ProblemView error={hosts.error} />}
      <section className="om-panel">
        <h2>{text('source.title')}</h2>
        <SourceField sources={sources} source={source} />
      </section>
      {source !== undefined && hosts.data !== undefined && (
        <CreatePanels
          key={source.id}
          source={source}
          hosts={hosts.data.items}
          search={search}
          onCli={setCli}
        />
      )}
    </Page>
  )
}

interface FieldProps {
  readonly sources: readonly Source[]
  readonly source: Source | undefined
}

function SourceField({ sources, source }: FieldProps) {
  const text = useText(newDatabaseMessages)
  const list = useText(databasesMessages)
  const navigate = useNavigate({ from: '/virtual-databases/new' })
  const isLimited = useIsLimited()
  if (sources.length === 0) {
    return (
      <p>
        {text('source.none')} <Link to="/virtual-databases">{list('title')}</Link>
      </p>
    )
  }
  const labelOf = ({ name, path, database, lastPointId }: Source): string => {
    const offer = database?.selfService ?? 'off'
    const notes = [
      path,
      ...(isLimited && offer !== 'on' ? [text(`source.${offer}`)] : []),
      ...(lastPointId === null ? [text('source.noPoint')] : []),
    ].filter((note) => note !== '')
    return notes.length === 0 ? name : `${name} (${notes.join(', ')})`
  }
  return (
    <Select
      aria-label={text('source')}
      placeholder={text('source.choose')}
      value={source?.id ?? null}
      style={{ width: '100%', maxWidth: 560 }}
      options={sources.map((one) => ({
        value: one.id,
        label: labelOf(one),
        disabled: isLimited && (one.database?.selfService ?? 'off') === 'off',
      }))}
      onChange={(sourceId) => void navigate({ search: { sourceId }, replace: true })}
      data-testid="database-source"
    />
  )
}
