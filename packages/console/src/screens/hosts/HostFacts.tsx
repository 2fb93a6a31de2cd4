import type { ReactNode } from 'react'
import { useFormat } from '../../format/use-format.ts'
import type { Host } from '@openmaas/api/resources/host'
import { useText } from '../../i18n/text.ts'
import { CopyButton } from '../../ui/CopyButton.tsx'
import { Labels } from '../../ui/Labels.tsx'
import { Time } from '../../ui/Time.tsx'
import { readAbout } from './about.ts'
import { hostsMessages } from './messages/text.ts'

/** Beyond this, times of points cannot be trusted: the server warns too. */
const SKEW_WARNING_MS = 60_000

export function HostFacts({ host }: { readonly host: Host }) {
  const text = useText(hostsMessages)
  const format = useFormat()
  const about = readAbout(host.about)
  const isSkewed = Math.abs(host.clockSkewMs) > SKEW_WARNING_MS
  const machine = [about.os, about.kernel, about.arch].filter((word) => word !== '').join(' · ')
  const memory = about.memoryBytes > 0 ? format.bytes(about.memoryBytes) : ''
  const cpus = about.cpuCount > 0 ? text('cpus', { count: about.cpuCount }) : ''
  const size = [cpus, memory].filter((word) => word !== '').join(' · ')
  const rows: readonly (readonly [string, ReactNode])[] = [
    [text('kind'), text(`kind.${host.kind}`)],
    [text('hostname'), about.hostname],
    [text('machine'), machine],
    [text('size'), size],
    [text('addresses'), about.addresses.join(', ')],
    [text('dataAddress'), host.dataAddress ?? ''],
    [text('softwareVersion'), host.softwareVersion],
    [text('lastSeenAt'), <Time key="seen" at={host.lastSeenAt} />],
    [
      text('certificate'),
      // The server's own agent and node have none.
      host.certificateNotAfter === null ? (
        ''
      ) : (
        <Time key="certificate" at={host.certificateNotAfter} />
      ),
    ],
    [
      text('skew'),
      <span key="skew" className={isSkewed ? 'om-state-warning' : ''}>
        {format.duration(Math.abs(host.clockSkewMs))}
      </span>,
    ],
    [text('labels'), <Labels key="labels" labels={host.labels} />],
    [
      text('id'),
      <span key="id">
        <code className="om-code">{host.id}</code>
        <CopyButton value={host.id} />
      </span>,
    ],
  ]
  return (
    <dl className="om-facts">
      {rows
        .filter(([, value]) => value !== '')
        .flatMap(([label, value]) => [
          <dt key={label}>{label}</dt>,
          <dd key={`${label}=`}>{value}</dd>,
        ])}
    </dl>
  )
}
