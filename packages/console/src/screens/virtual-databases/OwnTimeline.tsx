/** Its own timeline: now, bookmarks, branches, refreshes, and what it was made of. */
import { useQuery } from '@tanstack/react-query'
import {
  BranchesOutlined,
  DatabaseOutlined,
  EditOutlined,
  ReloadOutlined,
  TagOutlined,
} from '@ant-design/icons'
import type { ReactNode } from 'react'
import { Link } from '@tanstack/react-router'
import Skeleton from 'antd/es/skeleton'
import type { VirtualDatabase } from '@openmaas/api/resources/virtual-database'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { Time } from '../../ui/Time.tsx'
import { useMediumNames } from '../media/use-medium-names.ts'
import { BookmarkEntry } from './BookmarkEntry.tsx'
import { DatabaseState } from './DatabaseState.tsx'
import { databasesMessages } from './messages/text.ts'
import { type Moment, momentsOf } from './own-timeline.ts'
import { bookmarksQuery, branchesQuery } from './queries.ts'

interface Props {
  readonly database: VirtualDatabase
}

export function OwnTimeline({ database }: Props) {
  const text = useText(databasesMessages)
  const bookmarks = useQuery(bookmarksQuery(database.id))
  const branches = useQuery(branchesQuery(database.id))
  const error = bookmarks.error ?? branches.error
  if (error !== null) return <ProblemView error={error} />
  if (bookmarks.data === undefined || branches.data === undefined) return <Skeleton active />
  const moments = momentsOf(database, bookmarks.data.items, branches.data.items)
  return (
    <section className="om-panel" data-testid="own-timeline">
      <ol className="om-own-timeline">
        {moments.map((moment) => (
          <Entry key={keyOf(moment)} moment={moment} database={database} />
        ))}
      </ol>
      {bookmarks.data.items.length === 0 && <p className="om-quiet">{text('timeline.none')}</p>}
    </section>
  )
}

function keyOf(moment: Moment): string {
  if (moment.kind === 'bookmark') return moment.bookmark.id
  return moment.kind === 'branch' ? moment.child.id : moment.kind
}

interface EntryProps extends Props {
  readonly moment: Moment
}

function Entry({ moment, database }: EntryProps) {
  const text = useText(databasesMessages)
  switch (moment.kind) {
    case 'now':
      return (
        <Mark icon={<EditOutlined />} kind="now" at={null}>
          <strong>{text('timeline.now')}</strong> <DatabaseState state={database.state} />
          <p className="om-quiet">{text('timeline.now.text')}</p>
        </Mark>
      )
    case 'bookmark':
      return (
        <Mark icon={<TagOutlined />} kind="bookmark" at={moment.at}>
          <BookmarkEntry bookmark={moment.bookmark} database={database} />
        </Mark>
      )
    case 'branch':
      return (
        <Mark icon={<BranchesOutlined />} kind="branch" at={moment.at}>
          {text('timeline.branch')}{' '}
          <Link
            to="/virtual-databases/$virtualDatabaseId"
            params={{ virtualDatabaseId: moment.child.id }}
          >
            {moment.child.name}
          </Link>{' '}
          <DatabaseState state={moment.child.state} />
        </Mark>
      )
    case 'refreshed':
      return (
        <Mark icon={<ReloadOutlined />} kind="refreshed" at={moment.at}>
          <RefreshedTo database={database} />
        </Mark>
      )
    case 'made':
      return (
        <Mark icon={<DatabaseOutlined />} kind="made" at={moment.at}>
          <Made database={database} />
        </Mark>
      )
  }
}

interface MarkProps {
  readonly icon: ReactNode
  readonly kind: Moment['kind']
  readonly at: string | null
  readonly children: ReactNode
}

function Mark({ icon, kind, at, children }: MarkProps) {
  return (
    <li className={`om-own-mark om-own-${kind}`} data-kind={kind}>
      <span className="om-own-icon" aria-hidden>
        {icon}
      </span>
      <div className="om-own-body">{children}</div>
      {at !== null && (
        <span className="om-quiet">
          <Time at={at} />
        </span>
      )}
    </li>
  )
}

function RefreshedTo({ database }: Props) {
  const text = useText(databasesMessages)
  const format = useFormat()
  const { dataAt } = database
  return <>{text('timeline.refreshed', { at: dataAt === null ? '–' : format.exact(dataAt) })}</>
}

function Made({ database }: Props) {
  const text = useText(databasesMessages)
  const format = useFormat()
  const names = useMediumNames()
  const { parentId, sourceId, dataAt, lastRefreshAt, readyAt } = database
  if (parentId !== null) {
    return (
      <Link to="/virtual-databases/$virtualDatabaseId" params={{ virtualDatabaseId: parentId }}>
        {text('timeline.made.branch', { parent: parentId })}
      </Link>
    )
  }
  // After a refresh the first moment is no longer known.
  const isFirst = lastRefreshAt === null || readyAt === null || lastRefreshAt <= readyAt
  const at = dataAt === null || !isFirst ? '–' : format.exact(dataAt)
  return <>{text('timeline.made', { source: names.source(sourceId), at })}</>
}
