/** discover: what a host has that could be protected. The answer is the job's result. */
import { z } from 'zod'
import type { Result } from '@openmaas/protocols/channel/orders'
import { defineJob } from '../definition.ts'
import type { JobDefinition } from '../definition.ts'
import type { JobRequest } from '../queue.ts'
import { ORDER_TIMEOUT_MS } from './services.ts'

const params = z.object({ hostId: z.string() })
const DISCOVER_PRIORITY = 80

export function discoverRequest(
  host: { readonly id: string; readonly labelsJson: string },
  actor: string,
): JobRequest {
  const { id: hostId, labelsJson } = host
  return {
    kind: 'discover',
    params: { hostId },
    actor,
    priority: DISCOVER_PRIORITY,
    activeKey: `discover:${hostId}`,
    hostId,
    labels: JSON.parse(labelsJson) as Record<string, string>,
  }
}

export function makeDiscover(): JobDefinition {
  return defineJob<z.infer<typeof params>, { readonly discover: Result<'host.discover'> }>({
    kind: 'discover',
    params,
    slots: ({ hostId }) => [`discover:${hostId}`],
    steps: [
      {
        name: 'discover',
        run: (context) =>
          context.orders.order(
            context.params.hostId,
            'host.discover',
            {},
            { key: context.key(), timeoutMs: ORDER_TIMEOUT_MS, signal: context.signal },
          ),
      },
    ],
    attemptMax: 2,
    deadlineMs: 15 * 60_000,
    conclude: ({ discover: result }) => ({ result }),
  })
}
