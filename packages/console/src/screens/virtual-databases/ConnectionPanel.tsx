/**
 * How to connect. What is no secret stands there; the password and what holds it are asked for by
 * a button, since who looks is written down, and go with the page.
 */
import { useMutation } from '@tanstack/react-query'
import Button from 'antd/es/button'
import type { ConnectionRevealed, VirtualDatabase } from '@openmaas/api/resources/virtual-database'
import { apiCall } from '../../api/queries.ts'
import { useMay } from '../../api/session.ts'
import { useText } from '../../i18n/text.ts'
import { CopyButton } from '../../ui/CopyButton.tsx'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { useMediumNames } from '../media/use-medium-names.ts'
import { isLocal, placeText } from './engine.ts'
import { databasesMessages } from './messages/text.ts'

export function ConnectionPanel({ database }: { readonly database: VirtualDatabase }) {
  const text = useText(databasesMessages)
  const { id, port, state } = database
  const reveal = useMutation({
    mutationFn: () => apiCall('revealConnection', { params: { virtualDatabaseId: id } }),
    // Neither kept nor shown again without being asked for.
    gcTime: 0,
  })
  const isThere = port !== null
  return (
    <section className="om-panel" data-testid="database-connection">
      <h2>{text('connect')}</h2>
      {!isThere && <p className="om-quiet">{text('connect.waiting')}</p>}
      {state === 'stopped' && <p className="om-quiet">{text('connect.stopped')}</p>}
      {isThere && reveal.data === undefined && (
        <>
          <Known database={database} />
          <Reveal isPending={reveal.isPending} onReveal={() => reveal.mutate()} />
        </>
      )}
      {isThere && reveal.data !== undefined && (
        <>
          <Revealed connection={reveal.data} />
          <div className="om-buttons">
            <Button onClick={() => reveal.reset()} data-testid="hide-connection">
              {text('connect.hide')}
            </Button>
          </div>
        </>
      )}
      {reveal.isError && <ProblemView error={reveal.error} />}
      {isThere && <Tunnel database={database} />}
    </section>
  )
}

function Reveal({ isPending, onReveal }: { isPending: boolean; onReveal: () => void }) {
  const text = useText(databasesMessages)
  const may = useMay()
  if (!may('virtual-database.connect')) {
    return <p className="om-quiet">{text('connect.denied')}</p>
  }
  return (
    <div className="om-buttons">
      <Button type="primary" loading={isPending} onClick={onReveal} data-testid="reveal">
        {text('connect.reveal')}
      </Button>
      <small className="om-quiet">{text('connect.audited')}</small>
    </div>
  )
}

interface RowProps {
  readonly name: string
  readonly label: string
  readonly value: string
}

function Row({ name, label, value }: RowProps) {
  const text = useText(databasesMessages)
  if (value === '') return null
  return (
    <>
      <span className="om-quiet">{label}</span>
      <code data-testid={`connection-${name}`}>{value}</code>
      <CopyButton value={value} label={text('connect.copy', { what: label })} />
    </>
  )
}

function Known({ database }: { readonly database: VirtualDatabase }) {
  const text = useText(databasesMessages)
  const names = useMediumNames()
  const { hostId, user, databases } = database
  const place = placeText(database, names.host(hostId))
  return (
    <div className="om-connection">
      <Row name="place" label={text('place')} value={place} />
      <Row name="user" label={text('connect.user')} value={user} />
      <Row name="databases" label={text('databases')} value={databases.join(', ')} />
    </div>
  )
}

function Revealed({ connection }: { readonly connection: ConnectionRevealed }) {
  const text = useText(databasesMessages)
  const { host, port, user, password, database, command, url, jdbc, odbc } = connection
  const environment = Object.entries(connection.environment)
    .map(([name, value]) => `export ${name}='${value.replaceAll("'", String.raw`'\''`)}'`)
    .join('\n')
  const rows = [
    ['host', host],
    ['port', String(port)],
    ['user', user],
    ['password', password],
    ['database', database],
    ['command', command],
    ['url', url],
    ['jdbc', jdbc],
    ['odbc', odbc],
    ['environment', environment],
  ] as const
  return (
    <>
      {connection.accounts === 'production' && <p>{text('connect.production')}</p>}
      {connection.readOnly && <p className="om-quiet">{text('connect.readOnly')}</p>}
      <div className="om-connection" data-testid="connection-revealed">
        {rows.map(([name, value]) => (
          <Row key={name} name={name} label={text(`connect.${name}`)} value={value} />
        ))}
      </div>
    </>
  )
}

/** For those who sit elsewhere: one line makes it theirs. */
function Tunnel({ database }: { readonly database: VirtualDatabase }) {
  const text = useText(databasesMessages)
  const names = useMediumNames()
  const { port, hostId, address } = database
  if (port === null || !isLocal(database)) return null
  const host = names.host(hostId)
  const line = `ssh -N -L ${port}:127.0.0.1:${port} ${address ?? host}`
  return (
    <div className="om-tunnel">
      <small className="om-quiet">{text('connect.local', { host })}</small>
      <div className="om-line">
        <code className="om-code">{line}</code>
        <CopyButton value={line} />
      </div>
    </div>
  )
}
