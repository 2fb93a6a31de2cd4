import type { ReactNode } from 'react'
import { Link } from '@tanstack/react-router'
import type { VirtualDatabase } from '@openmaas/api/resources/virtual-database'
import { useMay } from '../../api/session.ts'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { CopyButton } from '../../ui/CopyButton.tsx'
import { Labels } from '../../ui/Labels.tsx'
import { Time } from '../../ui/Time.tsx'
import { ExpiresIn } from '../media/ExpiresIn.tsx'
import { useMediumNames } from '../media/use-medium-names.ts'
import { engineText } from './engine.ts'
import { databasesMessages } from './messages/text.ts'
import { QuotaBar } from './QuotaBar.tsx'
import { useOwnerName } from './use-owner-name.ts'

const SECOND_MS = 1000

type Row = readonly [label: string, value: ReactNode]

export function Facts({ database }: { readonly database: VirtualDatabase }) {
  const rows = [...useOrigin(database), ...useLife(database), ...useRest(database)]
  return (
    <dl className="om-facts" data-testid="database-facts">
      {rows.flatMap(([label, value]) => [
        <dt key={label}>{label}</dt>,
        <dd key={`${label}=`}>{value}</dd>,
      ])}
    </dl>
  )
}

function useOrigin(database: VirtualDatabase): Row[] {
  const text = useText(databasesMessages)
  const format = useFormat()
  const may = useMay()
  const names = useMediumNames()
  const { sourceId, parentId, dataAt, position, kept } = database
  const sourceName = names.source(sourceId)
  return [
    ...(kept ? [[text('verb.keep'), text('kept.mark')] as const] : []),
    [text('engine'), engineText(database)],
    [
      text('source'),
      may('source.write') ? (
        <Link key="source" to="/sources/$sourceId" params={{ sourceId }}>
          {sourceName}
        </Link>
      ) : (
        sourceName
      ),
    ],
    ...(parentId === null
      ? []
      : [
          [
            text('parent'),
            <Link
              key="parent"
              to="/virtual-databases/$virtualDatabaseId"
              params={{ virtualDatabaseId: parentId }}
            >
              {parentId}
            </Link>,
          ] as const,
        ]),
    [text('dataAt'), dataAt === null ? '–' : format.exact(dataAt)],
    ...(position === null || position === ''
      ? []
      : [
          [
            text('position'),
            <code key="position" className="om-code">
              {position}
            </code>,
          ] as const,
        ]),
  ]
}

function useLife(database: VirtualDatabase): Row[] {
  const text = useText(databasesMessages)
  const format = useFormat()
  const { leaseUntil, endedAt, writtenBytes, quotaBytes, autoRefresh, nextRefreshAt } = database
  const { lastRefreshAt, readyAt, createdAt } = database
  const auto =
    autoRefresh === null
      ? text('autoRefresh.off')
      : autoRefresh.every === undefined
        ? text('autoRefresh.cron', { cron: autoRefresh.cron ?? '', zone: autoRefresh.timezone })
        : text('autoRefresh.every', { every: autoRefresh.every })
  return [
    ...(endedAt === null
      ? [
          [
            text('expires'),
            <ExpiresIn key="expires" leaseUntil={leaseUntil} everyMs={SECOND_MS} />,
          ] as const,
        ]
      : []),
    [text('written'), writtenBytes === null ? text('written.unknown') : format.bytes(writtenBytes)],
    [
      text('quota'),
      quotaBytes === null ? (
        text('quota.none')
      ) : (
        <QuotaBar key="quota" quotaBytes={quotaBytes} writtenBytes={writtenBytes} />
      ),
    ],
    [
      text('autoRefresh'),
      <span key="auto">
        {auto}
        {nextRefreshAt !== null && (
          <>
            {' · '}
            {text('autoRefresh.next', { time: format.exact(nextRefreshAt) })}
          </>
        )}
      </span>,
    ],
    ...(lastRefreshAt === null
      ? []
      : [[text('refreshed'), <Time key="refreshed" at={lastRefreshAt} />] as const]),
    [text('created'), <Time key="created" at={createdAt} />],
    ...(readyAt === null
      ? []
      : [[text('ready'), format.duration(Date.parse(readyAt) - Date.parse(createdAt))] as const]),
  ]
}

function useRest(database: VirtualDatabase): Row[] {
  const text = useText(databasesMessages)
  const names = useMediumNames()
  const ownerName = useOwnerName()
  const { id, hostId, databases, settings, purpose, labels, createdBy, directory } = database
  const code = (value: string): ReactNode => <code className="om-code">{value}</code>
  const set = Object.entries(settings).map(([name, value]) => `${name} = ${value}`)
  return [
    [text('host'), names.host(hostId)],
    ...(directory === null ? [] : [[text('directory'), code(directory)] as const]),
    ...(databases.length === 0 ? [] : [[text('databases'), databases.join(', ')] as const]),
    ...(set.length === 0 ? [] : [[text('settings'), code(set.join(', '))] as const]),
    [text('owner'), ownerName(createdBy)],
    ...(purpose === '' ? [] : [[text('purpose'), purpose] as const]),
    ...(Object.keys(labels).length === 0
      ? []
      : [[text('labels'), <Labels key="labels" labels={labels} />] as const]),
    [
      text('id'),
      <span key="id">
        {code(id)}
        <CopyButton value={id} />
      </span>,
    ],
  ]
}
