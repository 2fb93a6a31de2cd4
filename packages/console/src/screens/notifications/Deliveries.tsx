/** What was sent, what waits, what failed and why. */
import { useMemo } from 'react'
import type { AnswerOf } from '@openmaas/api/routes/routes'
import { useText } from '../../i18n/text.ts'
import { codeColumn, timeColumn, wordColumn } from '../../ui/columns.tsx'
import { DataList, type Column } from '../../ui/DataList.tsx'
import { Empty } from '../../ui/Empty.tsx'
import { FilterSelect } from '../../ui/filters.tsx'
import { useList } from '../../ui/use-list.ts'
import { notificationsMessages } from './messages/text.ts'
import { deliveriesQuery, DELIVERY_STATES, type NotificationsSearch } from './queries.ts'
import { useChannelName } from './use-channel-name.ts'

type Delivery = AnswerOf<'listNotifications'>['items'][number]

const COLOURS = { waiting: 'quiet', sent: 'ok', failed: 'failed' } as const

export function Deliveries({ search }: { readonly search: NotificationsSearch }) {
  const text = useText(notificationsMessages)
  return (
    <DataList<Delivery>
      {...useList(deliveriesQuery(search))}
      name="deliveries"
      columns={useColumns()}
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
    />
  )
}

function useColumns(): Column<Delivery>[] {
  const text = useText(notificationsMessages)
  const channelName = useChannelName()
  return useMemo(
    () => [
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
      wordColumn('channel', text('channel'), ({ channelId }) => channelName(channelId)),
      codeColumn('alert', text('alert'), ({ alertId }) => alertId),
      wordColumn('attempts', text('attempts'), ({ attempts }) => attempts),
      timeColumn('nextAt', text('nextAt'), ({ nextAt }) => nextAt, { sortable: true, none: '–' }),
      wordColumn('error', text('error'), ({ error }) => error),
    ],
    [text, channelName],
  )
}
