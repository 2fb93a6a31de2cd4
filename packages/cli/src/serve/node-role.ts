/** The storage node on a machine of its own. `<data>/node` holds identity and list of pools. */
import { hostname } from 'node:os'
import path from 'node:path'
import { loadIdentity, portTlsOf } from '@openmaas/agent/session/identity'
import type { Identity } from '@openmaas/agent/session/identity'
import { AgentSession } from '@openmaas/agent/session/session'
import { systemClock } from '@openmaas/kernel/clock'
import { makeLog } from '@openmaas/kernel/log'
import { systemRandom } from '@openmaas/kernel/random'
import { makeNodeHandlers } from '@openmaas/node/handlers'
import { Node } from '@openmaas/node/node'
import { readVersion } from '../commands/version.ts'
import { formatAddress } from './address.ts'
import { DataLock } from './data-lock.ts'
import { openNodePorts } from './node-ports.ts'
import type { Role } from './run-role.ts'
import type { NodeConfig } from './settings.ts'

const log = makeLog('openmaas:node')

export function nodeDirectory({ data }: Pick<NodeConfig, 'data'>): string {
  return path.join(data, 'node')
}

/** @throws MaasError JOIN_MISSING, CONFIG_INVALID, SERVER_BUSY, SEALED_INVALID, FS_* */
export async function startNode(config: NodeConfig): Promise<Role> {
  await using stack = new AsyncDisposableStack()
  const directory = nodeDirectory(config)
  const identity = loadIdentity(directory)
  stack.use(DataLock.acquire(directory))
  const onProblem = (error: Error): void => log.error('failed', { error })
  const node = stack.use(await Node.open({ directory, clock: systemClock, onProblem }))
  // Tickets may come before the session that says how to judge them; they are refused until then.
  const control: { session?: AgentSession } = {}
  const ports = await openNodePorts({
    node,
    tls: tlsOf(identity),
    ticketKeys: () => control.session?.ticketKeys ?? [],
    nowMs: () => control.session?.controlMs() ?? systemClock.wallMs(),
    dataListen: config.dataListen,
    nbdListen: config.nbdListen,
  })
  stack.use(ports)
  const host = config.names[0] ?? hostname()
  const session = new AgentSession({
    identity,
    directory,
    handlers: makeNodeHandlers(node, ports.exports),
    software: readVersion(),
    clock: systemClock,
    random: systemRandom,
    dataAddress: formatAddress({ host, port: ports.dataPort }),
    nbdAddress: formatAddress({ host, port: ports.nbdPort }),
  })
  control.session = session
  stack.use(session)
  session.begin()
  const owned = stack.move()
  return {
    describe: { server: identity.serverUrl, hostId: identity.hostId, name: identity.name },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

function tlsOf(identity: Identity) {
  return { ...portTlsOf(identity), authorities: identity.caCertificate }
}
