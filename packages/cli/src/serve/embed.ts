/**
 * The node and the agent that live in the server's own process. The node opens its pools and its
 * two ports; the agent captures straight into the node's open pools.
 */
import path from 'node:path'
import { makeMediumPort } from '@openmaas/agent/attach/remote-attach'
import { openPlugins } from '@openmaas/agent/database/built-in'
import type { DatabasePlugins } from '@openmaas/agent/database/plugins'
import type { AgentIdentity } from '@openmaas/agent/remote/channel-messages'
import { makeRemotePools } from '@openmaas/agent/remote/remote-pools'
import { makeAgentHandlers } from '@openmaas/agent/session/handlers'
import { describeHost } from '@openmaas/agent/session/about'
import { makeKeyRequest } from '@openmaas/agent/session/identity'
import type { EmbeddedPart, EmbeddedSecurity } from '@openmaas/control/control-parts'
import { assert } from '@openmaas/kernel/assert'
import { systemClock } from '@openmaas/kernel/clock'
import type { Clock } from '@openmaas/kernel/clock'
import { makeLog } from '@openmaas/kernel/log'
import { makeNodeHandlers } from '@openmaas/node/handlers'
import { makeLocalMedia } from '@openmaas/node/local-media'
import { makeLocalPools } from '@openmaas/node/local-pools'
import { Node } from '@openmaas/node/node'
import type { NodeTls } from '@openmaas/node/security'
import type { HostAbout } from '@openmaas/protocols/channel/frames'
import { formatAddress } from './address.ts'
import { agentDirectory, settingsOf } from './agent-role.ts'
import { openNodePorts } from './node-ports.ts'
import type { ServerConfig } from './settings.ts'

const log = makeLog('openmaas:node')

export interface Embedding {
  readonly parts: readonly EmbeddedPart[]
  /** The pool that the first start made: shown with the first password, and never again. */
  readonly pool: { readonly path: string; readonly passphrase: string } | undefined
}

export interface EmbedOptions {
  readonly config: ServerConfig
  readonly security: EmbeddedSecurity
  /** By which other machines reach this one. */
  readonly name: string
  readonly software: string
  /** What is opened goes here, to be closed after control. */
  readonly stack: AsyncDisposableStack
  readonly clock?: Clock
}

/** @throws MaasError PORT_TAKEN, SEALED_INVALID, FS_* */
export async function embedRoles(options: EmbedOptions): Promise<Embedding> {
  const { config, stack, security, name, software, clock = systemClock } = options
  const directory = path.join(config.data, 'node')
  const onProblem = (error: Error): void => log.error('failed', { error })
  const node = stack.use(await Node.open({ directory, clock, onProblem }))
  const pool = await findFirstPool(node, config)
  const tlsOf = ({ key, cert }: EmbeddedSecurity['credentials']): NodeTls => {
    return { key, certificate: cert, authorities: security.rootPem }
  }
  const ports = await openNodePorts({
    node,
    tls: tlsOf(security.credentials),
    ticketKeys: () => security.ticketKeys,
    nowMs: () => clock.wallMs(),
    dataListen: config.dataListen,
    nbdListen: config.nbdListen,
  })
  stack.use(ports)
  const about = describeHost()
  const nodePart: EmbeddedPart = {
    kind: 'node',
    handlers: makeNodeHandlers(node, ports.exports),
    about,
    software,
    dataAddress: formatAddress({ host: name, port: ports.dataPort }),
    nbdAddress: formatAddress({ host: name, port: ports.nbdPort }),
    renew: (credentials) => ports.renew(tlsOf(credentials)),
  }
  const databases = stack.use(await openPlugins(config.plugins))
  const agentAbout = describeHost(await databases.describe())
  const agent = { config, security, software, databases, about: agentAbout }
  const agentPart = makeAgentPart(agent, node)
  return { parts: [nodePart, agentPart], pool }
}

/** In this process for pools of the embedded node; for others like an agent anywhere. */
function makeAgentPart(
  options: Pick<EmbedOptions, 'config' | 'security' | 'software'> & {
    readonly databases: DatabasePlugins
    readonly about: HostAbout
  },
  node: Node,
): EmbeddedPart {
  const { config, security, software, databases, about } = options
  let own: AgentIdentity | undefined
  const identity = (): AgentIdentity => {
    assert(own !== undefined, 'an agent gets no order before it has an identity')
    return own
  }
  const ports = {
    local: makeLocalPools(node),
    remote: makeRemotePools(identity),
    media: makeLocalMedia(node, makeMediumPort({ data: agentDirectory(config), identity })),
    databases,
  }
  return {
    kind: 'agent',
    handlers: makeAgentHandlers({ ports, settings: settingsOf(config) }),
    about,
    software,
    dataAddress: null,
    nbdAddress: null,
    known: async (hostId) => {
      const { key, csr } = await makeKeyRequest()
      own = { key, certificate: await security.issueHost(csr, hostId) }
    },
  }
}

/**
 * Made only where the node has none and never had one. A start that ended right after it (a port
 * was taken) has shown nobody the passphrase: the start that makes the first user shows it.
 */
async function findFirstPool(node: Node, config: ServerConfig): Promise<Embedding['pool']> {
  const brick = path.join(config.data, 'pool')
  const known = node.passphraseOf(brick)
  if (known !== undefined) return { path: brick, passphrase: known }
  if (config.noPool || node.knowsPools) return undefined
  const { passphrase } = await node.create([brick], 'single')
  return { path: brick, passphrase }
}
