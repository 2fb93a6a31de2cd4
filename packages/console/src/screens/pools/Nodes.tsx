/** The machines of ours, and how many pools lie on each. */
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import Table from 'antd/es/table'
import type { Host } from '@openmaas/api/resources/host'
import type { Pool } from '@openmaas/api/resources/pool'
import { hasScreen } from '../../app/screens-present.ts'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { Empty } from '../../ui/Empty.tsx'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { StateTag } from '../../ui/StateTag.tsx'
import { Time } from '../../ui/Time.tsx'
import { poolsMessages } from './messages/text.ts'
import { nodesQuery } from './queries.ts'

export function Nodes({ pools }: { readonly pools: readonly Pool[] }) {
  const text = useText(poolsMessages)
  const format = useFormat()
  const { data, error, isPending } = useQuery(nodesQuery)
  return (
    <section className="om-panel" style={{ marginTop: 24 }} data-testid="nodes">
      <h2>{text('nodes')}</h2>
      {error !== null && <ProblemView error={error} />}
      <Table<Host>
        size="small"
        rowKey="id"
        loading={isPending}
        dataSource={data?.items ?? []}
        pagination={false}
        scroll={{ x: 'max-content' }}
        locale={{ emptyText: <Empty message={text('nodes.empty')} /> }}
        columns={[
          {
            key: 'state',
            title: text('state'),
            render: (_, { state }) => <StateTag state={state} />,
          },
          { key: 'name', title: text('name'), render: (_, host) => <NodeName host={host} /> },
          { key: 'version', title: text('version'), dataIndex: 'softwareVersion' },
          {
            key: 'pools',
            title: text('pools'),
            render: (_, { id }) => pools.filter(({ nodeId }) => nodeId === id).length,
          },
          {
            key: 'skew',
            title: text('skew'),
            render: (_, { clockSkewMs }) => format.duration(Math.abs(clockSkewMs)),
          },
          {
            key: 'certificate',
            title: text('certificate'),
            render: (_, { certificateNotAfter }) => <Time at={certificateNotAfter} />,
          },
          {
            key: 'seen',
            title: text('seen'),
            render: (_, { lastSeenAt }) => <Time at={lastSeenAt} />,
          },
        ]}
      />
    </section>
  )
}

function NodeName({ host }: { readonly host: Host }) {
  if (!hasScreen('/hosts/$hostId')) return host.name
  return <Link to={`/hosts/${host.id}` as string}>{host.name}</Link>
}
