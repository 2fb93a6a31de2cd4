/**
 * What knows one database engine: the interface of every plug-in. Its methods are the orders
 * `database.*`, whose parameters and results protocols/channel/database-orders.ts describes;
 * docs/protocols/source-plugin.md says what each must hold, and conformance.ts tests it.
 *
 * A plug-in gets mounted directories, never devices or pools. What it starts survives the agent:
 * after a crash of the agent every request is repeated, and finds the work done or goes on with it.
 */
import type {
  DatabaseParams,
  DatabaseResult,
  DatabaseVerb,
  PluginVerb,
} from '@openmaas/protocols/channel/database-orders'

/** Of `database.seed` above all. */
export interface PluginProgress {
  readonly phase: string
  readonly bytesDone: number
  readonly bytesTotal: number | null
}

export interface PluginContext {
  /** Set when the order is cancelled: the plug-in stops within 5 s and leaves a state that a
   * repeated request goes on from. */
  readonly signal: AbortSignal
  readonly progress: (progress: PluginProgress) => void
}

/** `database.seed` → `seed`. */
export type PluginMethod = PluginVerb extends `database.${infer M}` ? M : never

type Ask<M extends PluginMethod> = (
  params: DatabaseParams<`database.${M}` & DatabaseVerb>,
  context: PluginContext,
) => Promise<DatabaseResult<`database.${M}` & DatabaseVerb>>

/** Every method throws MaasError with a code of the table; DATABASE_* where the engine refuses. */
export interface SourcePlugin {
  /** As in the orders: `postgres`, `mysql`. */
  readonly engine: string
  /** For people: `PostgreSQL`. */
  readonly title: string
  /** Of the plug-in; none: it comes with the agent. */
  readonly version?: string
  /** Versions of the engine whose programs this host has, for people. */
  readonly programs?: () => Promise<readonly string[]>
  readonly discover: Ask<'discover'>
  readonly check: Ask<'check'>
  readonly seed: Ask<'seed'>
  readonly follow: Ask<'follow'>
  readonly status: Ask<'status'>
  readonly mark: Ask<'mark'>
  readonly unfollow: Ask<'unfollow'>
  readonly activate: Ask<'activate'>
  readonly deactivate: Ask<'deactivate'>
  readonly verify: Ask<'verify'>
  /**
   * Once a minute while it follows, also when no point is taken: log/ takes no more than its part
   * of the volume. A plug-in without it prunes with `mark` alone.
   */
  readonly boundLog?: (place: {
    readonly engine: string
    readonly id: string
    readonly directory: string
  }) => Promise<void>
  /**
   * Stops the standby until it is told to follow again, and sees to it that production keeps no
   * more for it than it may. Without it, it is unfollowed: production keeps nothing by itself.
   */
  readonly hold?: (params: DatabaseParams<'database.follow'>) => Promise<void>
}
