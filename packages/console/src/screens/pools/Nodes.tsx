/** The machines of ours, and how many pools lie on each. */
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import type { Host } from '@openmaas/api/resources/host'
import type { Pool } from '@openmaas/api/resources/pool'
import { hasScreen } from '../../app/screens-present.ts'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { stateColumn, timeColumn, wordColumn } from '../../ui/columns.tsx'
import { ShortList } from '../../ui/ShortList.tsx'
import { poolsMessages } from './messages/text.ts'
import { nodesQuery } from './queries.ts'

export function Nodes({ pools }: { readonly pools: readonly Pool[] }) {
  const text = useText(poolsMessages)
  const format = useFormat()
  const { data, error } = useQuery(nodesQuery)
  return (
    <section className="om-panel" style={{ marginTop: 24 }} data-testid="nodes">
      <h2>{text('nodes')}</h2>
      <ShortList<Host>
        name="nodes"
        rows={data?.items}
        error={error}
        empty={text('nodes.empty')}
        columns={[
          stateColumn(text('state')),
          { key: 'name', label: text('name'), cell: (host) => <NodeName host={host} /> },
          wordColumn('version', text('version'), ({ softwareVersion }) => softwareVersion),
          wordColumn('pools', text('pools'), ({ id }) => {
            return pools.filter(({ nodeId }) => nodeId === id).length
          }),
          {
            key: 'skew',
            label: text('skew'),
            cell: ({ clockSkewMs }) => format.duration(Math.abs(clockSkewMs)),
          },
          timeColumn('certificate', text('certificate'), (host) => host.certificateNotAfter),
          timeColumn('seen', text('seen'), ({ lastSeenAt }) => lastSeenAt),
        ]}
      />
    </section>
  )
}

function NodeName({ host }: { readonly host: Host }) {
  if (!hasScreen('/hosts/$hostId')) return host.name
  return <Link to={`/hosts/${host.id}` as string}>{host.name}</Link>
}
