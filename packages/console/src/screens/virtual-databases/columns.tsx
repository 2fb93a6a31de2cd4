/** The columns of the list of virtual databases. */
import { useMemo } from 'react'
import { LockOutlined } from '@ant-design/icons'
import { Link } from '@tanstack/react-router'
import type { VirtualDatabase } from '@openmaas/api/resources/virtual-database'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { codeColumn, nameColumn, timeColumn, wordColumn } from '../../ui/columns.tsx'
import type { Column } from '../../ui/DataList.tsx'
import { labelTexts } from '../../ui/label-text.ts'
import { Labels } from '../../ui/Labels.tsx'
import { ExpiresIn } from '../media/ExpiresIn.tsx'
import { useMediumNames } from '../media/use-medium-names.ts'
import { DatabaseState } from './DatabaseState.tsx'
import { engineText, placeText } from './engine.ts'
import { databasesMessages } from './messages/text.ts'
import { useOwnerName } from './use-owner-name.ts'

const RENEW_EVERY_MS = 30_000

type Columns = Column<VirtualDatabase>[]

/** @param isLimited of a data consumer: the owner is always the same, the quota is what counts */
export function useColumns(isLimited: boolean): Columns {
  const text = useText(databasesMessages)
  const format = useFormat()
  const names = useMediumNames()
  const ownerName = useOwnerName()
  return useMemo((): Columns => {
    const bytes = (
      key: 'writtenBytes' | 'quotaBytes',
      label: string,
      where: { readonly hidden?: true } = {},
    ): Column<VirtualDatabase> => ({
      key,
      label,
      cell: ({ [key]: size }) =>
        size === null ? <span className="om-quiet">–</span> : format.bytes(size),
      value: (database) => database[key],
      ...where,
    })
    const hidden = { hidden: true } as const
    return [
      {
        key: 'state',
        label: text('state'),
        cell: ({ state }) => <DatabaseState state={state} />,
        value: ({ state }) => state,
      },
      nameColumn(text('name'), (database) => <Name database={database} />),
      wordColumn('engine', text('engine'), engineText),
      wordColumn('source', text('source'), ({ sourceId }) => names.source(sourceId)),
      timeColumn('dataAt', text('dataAt'), ({ dataAt }) => dataAt, { none: '–' }),
      codeColumn('place', text('place'), (each) => placeText(each, names.host(each.hostId))),
      bytes('writtenBytes', text('written'), isLimited ? hidden : {}),
      bytes('quotaBytes', text('quota'), isLimited ? {} : hidden),
      {
        key: 'leaseUntil',
        label: text('expires'),
        sortable: true,
        cell: ({ leaseUntil, endedAt }) =>
          endedAt === null ? (
            <ExpiresIn leaseUntil={leaseUntil} everyMs={RENEW_EVERY_MS} />
          ) : (
            <span className="om-quiet">–</span>
          ),
        value: ({ leaseUntil }) => leaseUntil,
      },
      timeColumn('lastRefreshAt', text('refreshed'), ({ lastRefreshAt }) => lastRefreshAt, {
        none: '–',
      }),
      wordColumn(
        'owner',
        text('owner'),
        ({ createdBy }) => ownerName(createdBy),
        isLimited ? hidden : {},
      ),
      wordColumn('host', text('host'), ({ hostId }) => names.host(hostId), hidden),
      timeColumn('createdAt', text('created'), ({ createdAt }) => createdAt, {
        sortable: true,
        ...hidden,
      }),
      wordColumn('purpose', text('purpose'), ({ purpose }) => purpose, hidden),
      {
        key: 'labels',
        label: text('labels'),
        cell: ({ labels }) => <Labels labels={labels} />,
        value: ({ labels }) => labelTexts(labels).join(' '),
        ...hidden,
      },
    ]
  }, [text, format, names, ownerName, isLimited])
}

function Name({ database }: { readonly database: VirtualDatabase }) {
  const text = useText(databasesMessages)
  const { id, name, kept } = database
  return (
    <>
      <Link
        to="/virtual-databases/$virtualDatabaseId"
        params={{ virtualDatabaseId: id }}
        data-testid={`vdb-${name}`}
      >
        {name}
      </Link>{' '}
      {kept && <LockOutlined title={text('kept.mark')} aria-label={text('kept.mark')} />}
    </>
  )
}
