/** What a channel's thread and the thread that began it say to each other. */
import type { ErrorMessage } from '@openmaas/kernel/error-message'
import type { CapturedSnapshot, Commit, Hello, Welcome } from '@openmaas/protocols/data/messages'
import type { ChannelMemory } from './remote-lane.ts'

/** PEM texts: what the agent shows to nodes. */
export interface AgentIdentity {
  readonly certificate: string
  readonly key: string
  /** The authority of control: by it, a node is known again that has renewed its certificate. */
  readonly caCertificate?: string
}

export interface ChannelSetup {
  readonly host: string
  readonly port: number
  /** SHA-256 of the node's certificate. */
  readonly fingerprint: string
  readonly identity: AgentIdentity
  readonly hello: Hello
  readonly memory: ChannelMemory
  /** Of a session with a limit (kernel/throttle.ts), which its connections keep together. */
  readonly throttle?: SharedArrayBuffer
}

export type ToChannel =
  | { readonly kind: 'commit'; readonly commit: Commit }
  | { readonly kind: 'stop' }

export type FromChannel =
  | { readonly kind: 'welcome'; readonly welcome: Welcome }
  | { readonly kind: 'committed'; readonly snapshot: CapturedSnapshot }
  | { readonly kind: 'failed'; readonly error: ErrorMessage }
