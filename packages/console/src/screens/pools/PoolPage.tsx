/** One pool: how full, how well it packs, where it leads, and its care. */
import { useState } from 'react'
import { useQuery, useSuspenseQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import Button from 'antd/es/button'
import Descriptions from 'antd/es/descriptions'
import type { Pool } from '@openmaas/api/resources/pool'
import { useMay } from '../../api/session.ts'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { CopyButton } from '../../ui/CopyButton.tsx'
import { Empty } from '../../ui/Empty.tsx'
import { Labels } from '../../ui/Labels.tsx'
import { Page } from '../../ui/Page.tsx'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { StateTag } from '../../ui/StateTag.tsx'
import { Time } from '../../ui/Time.tsx'
import { useJobKind } from '../jobs/job-kind.ts'
import { CapacityStack } from './CapacityStack.tsx'
import { Growth } from './Growth.tsx'
import { poolsMessages } from './messages/text.ts'
import { PoolDialog, type PoolVerb } from './PoolDialog.tsx'
import { careJobsQuery, poolQuery } from './queries.ts'
import { poolRoute } from './routes.ts'

export function PoolPage() {
  const text = useText(poolsMessages)
  const { poolId } = poolRoute.useParams()
  const { data: pool } = useSuspenseQuery(poolQuery(poolId))
  const may = useMay()
  return (
    <Page
      title={pool.name}
      mark={<StateTag state={pool.state} />}
      crumbs={[{ label: text('title'), to: '/pools' }]}
      actions={may('pool.write') && <Actions pool={pool} />}
      cli={`openmaas pool show ${pool.name}`}
      api={`GET /api/v1/pools/${poolId}`}
    >
      <div className="om-columns">
        <CapacityStack pool={pool} />
        <Growth pool={pool} />
        <section className="om-panel">
          <h2>{text('facts')}</h2>
          <Facts pool={pool} />
        </section>
        {may('job.read') && <Care poolId={poolId} />}
      </div>
    </Page>
  )
}

const VERBS = ['remove', 'change', 'check', 'collect'] as const

function Actions({ pool }: { readonly pool: Pool }) {
  const text = useText(poolsMessages)
  const [verb, setVerb] = useState<PoolVerb>()
  return (
    <>
      {VERBS.map((name) => (
        <Button
          key={name}
          danger={name === 'remove'}
          type={name === 'collect' ? 'primary' : 'default'}
          onClick={() => setVerb(name)}
          data-testid={`pool-${name}`}
        >
          {text(name)}
        </Button>
      ))}
      {verb !== undefined && (
        <PoolDialog verb={verb} pool={pool} onClose={() => setVerb(undefined)} />
      )}
    </>
  )
}

function Facts({ pool }: { readonly pool: Pool }) {
  const text = useText(poolsMessages)
  const format = useFormat()
  const { stats } = pool
  const items = [
    { label: text('path'), children: <code className="om-code">{pool.path}</code> },
    { label: text('labels'), children: <Labels labels={pool.labels} /> },
    { label: text('snapshots'), children: format.count(stats.snapshotCount) },
    { label: text('packs'), children: format.count(stats.packCount) },
    {
      label: text('bad'),
      children: (
        <span className={stats.badBlocks > 0 ? 'om-state-failed' : ''}>
          {format.count(stats.badBlocks)}
        </span>
      ),
    },
    { label: text('seen'), children: <Time at={pool.seenAt} /> },
    { label: text('created'), children: <Time at={pool.createdAt} /> },
    {
      label: text('id'),
      children: (
        <>
          <code className="om-code">{pool.id}</code> <CopyButton value={pool.id} />
        </>
      ),
    },
  ]
  return (
    <Descriptions
      size="small"
      styles={{ label: { color: 'var(--om-quiet)' } }}
      column={1}
      items={items.map((item) => ({ ...item, key: item.label }))}
    />
  )
}

/** What was done about it lately, each leading to its job. */
function Care({ poolId }: { readonly poolId: string }) {
  const text = useText(poolsMessages)
  const kindText = useJobKind()
  const { data, error } = useQuery(careJobsQuery(poolId))
  return (
    <section className="om-panel" data-testid="care">
      <h2>{text('care')}</h2>
      {error !== null && <ProblemView error={error} />}
      {data?.items.length === 0 && <Empty message={text('care.empty')} />}
      <ul className="om-steps">
        {data?.items.map((job) => (
          <li key={job.id}>
            <StateTag state={job.state} />
            <Link to="/jobs/$jobId" params={{ jobId: job.id }}>
              {kindText(job.kind)}
            </Link>
            <Time at={job.queuedAt} />
          </li>
        ))}
      </ul>
    </section>
  )
}
