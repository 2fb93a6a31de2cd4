/** The agent on a machine of its own. `<data>/agent` holds its identity and what is attached. */
import path from 'node:path'
import { makeMediumPort } from '@openmaas/agent/attach/remote-attach'
import { openPlugins } from '@openmaas/agent/database/built-in'
import { makeRemotePools } from '@openmaas/agent/remote/remote-pools'
import { makeAgentHandlers } from '@openmaas/agent/session/handlers'
import { loadIdentity } from '@openmaas/agent/session/identity'
import { AgentSession } from '@openmaas/agent/session/session'
import { agentSettings } from '@openmaas/agent/session/settings'
import type { AgentSettings } from '@openmaas/agent/session/settings'
import { systemClock } from '@openmaas/kernel/clock'
import { systemRandom } from '@openmaas/kernel/random'
import { readVersion } from '../commands/version.ts'
import { DataLock } from './data-lock.ts'
import type { Role } from './run-role.ts'
import type { AgentConfig } from './settings.ts'

export function agentDirectory({ data }: Pick<AgentConfig, 'data'>): string {
  return path.join(data, 'agent')
}

/** @throws MaasError JOIN_MISSING, CONFIG_INVALID, SERVER_BUSY, FS_* */
export async function startAgent(config: AgentConfig): Promise<Role> {
  await using stack = new AsyncDisposableStack()
  const directory = agentDirectory(config)
  let identity = loadIdentity(directory)
  stack.use(DataLock.acquire(directory))
  const databases = stack.use(await openPlugins(config.plugins))
  const engines = await databases.describe()
  const ports = {
    remote: makeRemotePools(() => identity),
    media: makeMediumPort({ data: directory, identity: () => identity }),
    databases,
  }
  const session = new AgentSession({
    identity,
    directory,
    handlers: makeAgentHandlers({ ports, settings: settingsOf(config) }),
    software: readVersion(),
    engines,
    clock: systemClock,
    random: systemRandom,
    onIdentity: (renewed) => (identity = renewed),
  })
  stack.use(session)
  session.begin()
  const owned = stack.move()
  return {
    describe: { server: identity.serverUrl, hostId: identity.hostId, name: identity.name },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

export function settingsOf(
  config: Pick<AgentConfig, 'allowRestore' | 'allowMount' | 'pathsOnly'>,
): AgentSettings {
  const { allowRestore, allowMount, pathsOnly } = config
  const limits = pathsOnly.length === 0 ? null : pathsOnly
  return agentSettings.parse({ allowRestore, allowMount, pathsOnly: limits })
}
