/** What the server is put together from, by the composition root. */
import type { IncomingHttpHeaders } from 'node:http'
import type { Principal } from '@openmaas/api/permissions'
import type { RouteName } from '@openmaas/api/routes/routes'
import type { Clock } from '@openmaas/kernel/clock'
import type { Random } from '@openmaas/kernel/random'
import type { Catalog } from '../catalog/catalog.ts'
import type { EventFeed } from '../catalog/events.ts'
import type { Handlers } from './handler.ts'
import type { RateLimits } from './rate-limit.ts'

export interface HttpServerOptions {
  readonly catalog: Catalog
  readonly clock: Clock
  readonly random: Random
  readonly events: EventFeed
  readonly handlers: Handlers
  /** `makeAuthenticate` of auth/. */
  readonly authenticate: (request: {
    readonly method: string
    readonly headers: IncomingHttpHeaders
  }) => Promise<Principal | undefined>
  /** Of the product, shown in the OpenAPI document. */
  readonly version: string
  /** Keys the hashes of requests that are remembered; the same over restarts. */
  readonly idempotencyKey: Uint8Array
  /** Routes that this server does not have: neither served nor documented. */
  readonly withheld?: readonly RouteName[]
  /** PEM. Without it plain HTTP, for loopback or behind a proxy. */
  readonly tls?: { readonly key: string; readonly cert: string }
  /** Addresses whose X-Forwarded-For is believed. */
  readonly trustedProxies?: readonly string[]
  readonly rates?: Partial<RateLimits>
  /** What /readyz asks: each part that the server cannot work without. */
  readonly checks?: Readonly<Record<string, () => Promise<boolean>>>
  readonly metrics?: {
    render(): Promise<{ readonly contentType: string; readonly text: string }>
    /** Prometheus without a token; else the permission metrics.read. */
    readonly public: boolean
  }
  /** Built files of the console; its index answers every path that is no file. */
  readonly consoleRoot?: string
  /** Told of each 403, for the audit log. */
  readonly onRefused?: (refusal: Refusal) => void
}

export interface Refusal {
  readonly actor: string
  readonly address: string
  readonly requestId: string
  /** Name of the route. */
  readonly action: string
  readonly path: string
  readonly code: string
}
