/** What was sent, what waits, what failed and why. */
import { useMemo } from 'react'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import type { AnswerOf } from '@openmaas/api/routes/routes'
import { useText } from '../../i18n/text.ts'
import { DataList, type Column } from '../../ui/DataList.tsx'
import { Empty } from '../../ui/Empty.tsx'
import { FilterSelect } from '../../ui/filters.tsx'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { Time } from '../../ui/Time.tsx'
import { notificationsMessages } from './messages/text.ts'
import {
  channelsQuery,
  deliveriesQuery,
  DELIVERY_STATES,
  type NotificationsSearch,
} from './queries.ts'

type Delivery = AnswerOf<'listNotifications'>['items'][number]

const COLOURS = { waiting: 'quiet', sent: 'ok', failed: 'failed' } as const

export function Deliveries({ search }: { readonly search: NotificationsSearch }) {
  const text = useText(notificationsMessages)
  const { data, error, isPlaceholderData } = useQuery({
    ...deliveriesQuery(search),
    placeholderData: keepPreviousData,
  })
  const columns = useColumns()
  return (
    <>
      {error !== null && <ProblemView error={error} />}
      <DataList<Delivery>
        name="deliveries"
        rows={data?.items ?? []}
        next={data?.next ?? null}
        columns={columns}
        search={search}
        rowKey={({ id }) => id}
        filters={
          <FilterSelect
            name="state"
            label={text('filter.state')}
            any={text('filter.any')}
            value={search.state}
            options={DELIVERY_STATES.map((value) => ({ value, label: text(`state.${value}`) }))}
          />
        }
        empty={<Empty message={text('deliveries.empty')} />}
        isLoading={isPlaceholderData}
      />
    </>
  )
}

function useColumns(): Column<Delivery>[] {
  const text = useText(notificationsMessages)
  const { data: channels } = useQuery(channelsQuery)
  return useMemo(() => {
    const channelOf = ({ channelId }: Delivery): string =>
      channels?.items.find(({ id }) => id === channelId)?.name ?? channelId
    return [
      {
        key: 'state',
        label: text('state'),
        cell: ({ state }) => (
          <span className={`om-state-${COLOURS[state]}`} data-state={state}>
            {text(`state.${state}`)}
          </span>
        ),
        value: ({ state }) => state,
      },
      { key: 'channel', label: text('channel'), cell: channelOf, value: channelOf },
      {
        key: 'alert',
        label: text('alert'),
        cell: ({ alertId }) => <code className="om-code">{alertId}</code>,
        value: ({ alertId }) => alertId,
      },
      {
        key: 'attempts',
        label: text('attempts'),
        cell: ({ attempts }) => attempts,
        value: ({ attempts }) => attempts,
      },
      {
        key: 'nextAt',
        label: text('nextAt'),
        sortable: true,
        cell: ({ nextAt }) => (nextAt === null ? '–' : <Time at={nextAt} />),
        value: ({ nextAt }) => nextAt,
      },
      {
        key: 'error',
        label: text('error'),
        cell: ({ error }) => error ?? '',
        value: ({ error }) => error,
      },
    ]
  }, [text, channels])
}
