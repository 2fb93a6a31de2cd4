/** Pools, and below them the nodes that they lie on. */
import { useMemo, useState } from 'react'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import Button from 'antd/es/button'
import type { Pool } from '@openmaas/api/resources/pool'
import { useMay } from '../../api/session.ts'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { codeColumn, nameColumn, stateColumn, timeColumn, wordColumn } from '../../ui/columns.tsx'
import { DataList, type Column } from '../../ui/DataList.tsx'
import { Empty } from '../../ui/Empty.tsx'
import { FilterSelect } from '../../ui/filters.tsx'
import { uiMessages } from '../../ui/messages/text.ts'
import { Page } from '../../ui/Page.tsx'
import { useList } from '../../ui/use-list.ts'
import { apiLine, toListQuery } from '../../ui/search-params.ts'
import { savingRatio } from './capacity.ts'
import { poolsMessages } from './messages/text.ts'
import { NewPool, type NewPoolKind } from './NewPool.tsx'
import { Nodes } from './Nodes.tsx'
import { nodesQuery, POOL_STATES, poolsQuery, type PoolsSearch } from './queries.ts'
import { poolsRoute } from './routes.ts'
import { UsedBar } from './UsedBar.tsx'

export function PoolsPage() {
  const text = useText(poolsMessages)
  const may = useMay()
  const search = poolsRoute.useSearch()
  const list = useList(poolsQuery(search))
  const [making, setMaking] = useState<NewPoolKind>()
  const state = search.state === undefined ? '' : ` --state ${search.state}`
  const create = may('pool.write') && (
    <Button type="primary" onClick={() => setMaking('create')} data-testid="create-pool">
      {text('create')}
    </Button>
  )
  return (
    <Page
      title={text('title')}
      actions={
        <>
          {may('pool.write') && (
            <Button onClick={() => setMaking('adopt')} data-testid="adopt-pool">
              {text('adopt')}
            </Button>
          )}
          {create}
        </>
      }
      cli={`openmaas pool list${state}`}
      api={apiLine('GET', '/api/v1/pools', toListQuery(search))}
    >
      <DataList<Pool>
        {...list}
        name="pools"
        columns={useColumns()}
        search={search}
        rowKey={({ id }) => id}
        href={({ id }) => `/pools/${id}`}
        filters={<Filters search={search} />}
        empty={<Empty message={text('empty')} action={create} />}
      />
      {may('host.read') && <Nodes pools={list.rows} />}
      {making !== undefined && <NewPool kind={making} onClose={() => setMaking(undefined)} />}
    </Page>
  )
}

function Filters({ search }: { readonly search: PoolsSearch }) {
  const text = useText(poolsMessages)
  const words = useText(uiMessages)
  return (
    <FilterSelect
      name="state"
      label={text('filter.state')}
      any={text('filter.any')}
      value={search.state}
      options={POOL_STATES.map((value) => ({ value, label: words(`state.${value}`) }))}
    />
  )
}

function useColumns(): Column<Pool>[] {
  const measures = useMeasures()
  const text = useText(poolsMessages)
  const may = useMay()
  const { data: nodes } = useQuery({ ...nodesQuery, enabled: may('host.read') })
  return useMemo(() => {
    const nodeName = ({ nodeId }: Pool) =>
      nodes?.items.find(({ id }) => id === nodeId)?.name ?? nodeId
    return [
      stateColumn(text('state')),
      nameColumn(text('name'), ({ id, name }) => (
        <Link to="/pools/$poolId" params={{ poolId: id }} data-testid={`pool-${id}`}>
          {name}
        </Link>
      )),
      wordColumn('node', text('node'), nodeName),
      ...measures,
    ]
  }, [text, measures, nodes])
}

/** How full, how well packed, how sound, how old. */
function useMeasures(): Column<Pool>[] {
  const text = useText(poolsMessages)
  const format = useFormat()
  return useMemo(
    () => [
      {
        key: 'used',
        label: text('used'),
        cell: (pool) => <UsedBar pool={pool} />,
        value: ({ stats }) => stats.sizeBytes - stats.freeBytes,
      },
      {
        key: 'saving',
        label: text('saving'),
        cell: (pool) => `×${savingRatio(pool)?.toFixed(1) ?? ' –'}`,
        value: savingRatio,
      },
      {
        key: 'full',
        label: text('full'),
        cell: ({ daysToFull }) =>
          daysToFull === null
            ? text('days.never')
            : text('days', { count: Math.round(daysToFull) }),
        value: ({ daysToFull }) => daysToFull,
      },
      {
        key: 'bad',
        label: text('bad'),
        cell: ({ stats: { badBlocks } }) => (
          <span className={badBlocks > 0 ? 'om-state-failed' : ''}>{format.count(badBlocks)}</span>
        ),
        value: ({ stats }) => stats.badBlocks,
      },
      timeColumn('seen', text('seen'), ({ seenAt }) => seenAt),
      timeColumn('createdAt', text('created'), ({ createdAt }) => createdAt, {
        sortable: true,
        hidden: true,
      }),
      codeColumn('path', text('path'), ({ path }) => path, { hidden: true }),
    ],
    [text, format],
  )
}
