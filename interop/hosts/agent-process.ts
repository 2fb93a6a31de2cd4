/**
 * An agent as a process of its own, for tests that kill it or put it into a network namespace.
 *
 *   node agent-process.ts DIRECTORY URL TOKEN FINGERPRINT NAME
 *
 * Joins when it has not, then does orders. `host.list` of a path that ends in `.gate` appends a
 * line to that file and waits until `<path>.open` exists: work that a test can look into.
 */
import { appendFileSync, existsSync } from 'node:fs'
import { argv, stdout } from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { makeAgentHandlers } from '@openmaas/agent/session/handlers'
import { findIdentity } from '@openmaas/agent/session/identity'
import { join } from '@openmaas/agent/session/join'
import { AgentSession } from '@openmaas/agent/session/session'
import { agentSettings } from '@openmaas/agent/session/settings'
import { systemClock } from '@openmaas/kernel/clock'
import { systemRandom } from '@openmaas/kernel/random'

const [, , directory = '', url = '', token = '', fingerprint = '', name = ''] = argv
const software = '0.1.0'
const clock = systemClock
const joining = {
  url,
  token,
  fingerprint,
  name,
  kind: 'agent',
  software,
  directory,
  clock,
} as const
const identity = findIdentity(directory) ?? (await join(joining))

const real = makeAgentHandlers({ ports: {}, settings: agentSettings.parse({}) })
const session = new AgentSession({
  identity,
  directory,
  software,
  clock,
  random: systemRandom,
  handlers: {
    ...real,
    'host.list': async (params, context) => {
      if (!params.path.endsWith('.gate')) return real['host.list']!(params, context)
      appendFileSync(params.path, `begun by ${process.pid}\n`)
      while (!existsSync(`${params.path}.open`)) {
        context.signal.throwIfAborted()
        await delay(20)
      }
      return { entries: [], more: false }
    },
  },
})
session.begin()
stdout.write(`${identity.hostId}\n`)
