/** Ctrl-K: goes to a page, a source, a job or a medium, or does a verb, by a few letters of it. */
import { useState, type KeyboardEvent } from 'react'
import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import Input from 'antd/es/input'
import Modal from 'antd/es/modal'
import { apiQuery } from '../api/queries.ts'
import { useMay } from '../api/session.ts'
import { useText } from '../i18n/text.ts'
import { logOut } from './log-out.ts'
import { appMessages } from './messages/text.ts'
import { hasScreen } from './screens-present.ts'
import { setTheme } from './theme.ts'
import { useNavigation } from './use-navigation.ts'

interface Found {
  readonly key: string
  readonly group: 'pages' | 'verbs' | 'sources' | 'databases' | 'jobs' | 'media'
  readonly label: string
  readonly choose: () => void
}

/** More would not be read. */
const FOUND_PER_GROUP_MAX = 8
/** Newest things that are looked through; lists with filters find the rest. */
const LOOKED_AT_MAX = 200

export function CommandPalette({ onClose }: { readonly onClose: () => void }) {
  const text = useText(appMessages)
  const [typed, setTyped] = useState('')
  const [position, setPosition] = useState(0)
  const found = useFound(typed)
  const current = Math.min(position, Math.max(0, found.length - 1))
  const choose = (one: Found): void => {
    onClose()
    one.choose()
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'ArrowDown') setPosition(Math.min(current + 1, found.length - 1))
    else if (event.key === 'ArrowUp') setPosition(Math.max(current - 1, 0))
    else if (event.key === 'Enter' && found[current] !== undefined) choose(found[current])
    else return
    event.preventDefault()
  }
  return (
    <Modal open footer={null} title={text('search')} onCancel={onClose} destroyOnHidden>
      <Input
        autoFocus
        value={typed}
        placeholder={text('search.placeholder')}
        onChange={(event) => setTyped(event.target.value)}
        onKeyDown={onKeyDown}
        role="combobox"
        aria-label={text('search.placeholder')}
        aria-expanded
        aria-controls="found"
        aria-activedescendant={`found-${current}`}
        data-testid="search-input"
      />
      <ul id="found" role="listbox" aria-label={text('search')} className="om-found">
        {found.map((one, index) => (
          <li
            key={one.key}
            id={`found-${index}`}
            role="option"
            aria-selected={index === current}
            onClick={() => choose(one)}
            data-testid={`found-${one.key}`}
          >
            <span>{one.label}</span>
            <small>{text(`search.${one.group}`)}</small>
          </li>
        ))}
      </ul>
      {found.length === 0 && <p>{text('search.empty')}</p>}
    </Modal>
  )
}

function useFound(typed: string): Found[] {
  const words = typed.trim().toLowerCase().split(/\s+/).filter(Boolean)
  const all = [...usePages(), ...useVerbs(), ...useObjects(words.length > 0)]
  const matches = all.filter(({ key, label }) => {
    const haystack = `${label} ${key}`.toLowerCase()
    return words.every((word) => haystack.includes(word))
  })
  return [...Map.groupBy(matches, ({ group }) => group).values()].flatMap((group) =>
    group.slice(0, FOUND_PER_GROUP_MAX),
  )
}

function usePages(): Found[] {
  const text = useText(appMessages)
  const navigate = useNavigate()
  return useNavigation().map(({ to, label }) => ({
    key: to,
    group: 'pages',
    label: text(label),
    choose: () => void navigate({ to }),
  }))
}

function useVerbs(): Found[] {
  const text = useText(appMessages)
  const may = useMay()
  const navigate = useNavigate()
  const create = (): void => void navigate({ to: '/virtual-databases/new' })
  return [
    ...(may('virtual-database.create')
      ? [
          {
            key: 'new-database',
            group: 'verbs' as const,
            label: text('verb.newDatabase'),
            choose: create,
          },
        ]
      : []),
    { key: 'dark', group: 'verbs', label: text('verb.dark'), choose: () => setTheme('dark') },
    { key: 'light', group: 'verbs', label: text('verb.light'), choose: () => setTheme('light') },
    { key: 'logout', group: 'verbs', label: text('verb.logout'), choose: () => void logOut() },
  ]
}

function useObjects(isTyping: boolean): Found[] {
  const navigate = useNavigate()
  const may = useMay()
  const query = { limit: LOOKED_AT_MAX }
  const sources = useQuery({
    ...apiQuery('listSources', { query }),
    enabled: isTyping && may('source.read') && hasScreen('/sources/$sourceId'),
  })
  const jobs = useQuery({
    ...apiQuery('listJobs', { query }),
    enabled: isTyping && may('job.read'),
  })
  const media = useQuery({
    ...apiQuery('listMedia', { query }),
    enabled: isTyping && may('medium.read') && hasScreen('/media/$mediumId'),
  })
  const databases = useQuery({
    ...apiQuery('listVirtualDatabases', { query: { ...query, 'filter[active]': 'true' } }),
    enabled: isTyping && may('virtual-database.read'),
  })
  const row = (group: Found['group'], id: string, label: string, base: string): Found => ({
    key: id,
    group,
    label,
    choose: () => void navigate({ to: `${base}/${id}` }),
  })
  return [
    ...(sources.data?.items ?? []).map(({ id, name }) => row('sources', id, name, '/sources')),
    ...(databases.data?.items ?? []).map(({ id, name }) =>
      row('databases', id, name, '/virtual-databases'),
    ),
    ...(jobs.data?.items ?? []).map(({ id, kind }) => row('jobs', id, `${kind} ${id}`, '/jobs')),
    ...(media.data?.items ?? []).map(({ id }) => row('media', id, id, '/media')),
  ]
}
