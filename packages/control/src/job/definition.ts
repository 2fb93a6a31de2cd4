/**
 * What a kind of job is made of. The engine runs the steps in order, journals what they return
 * (as JSON), and undoes them from the last to the first when the job fails for good.
 */
import type { Selectable, Transaction } from 'kysely'
import type { z } from 'zod'
import type { Clock } from '@openmaas/kernel/clock'
import type { ErrorMessage } from '@openmaas/kernel/error-message'
import type { OrderGiver, OrderProgress } from '@openmaas/protocols/channel/orders'
import type { Catalog } from '../catalog/catalog.ts'
import type { CatalogTables } from '../catalog/schema.ts'

export type JobRow = Selectable<CatalogTables['job']>
export type Trx = Transaction<CatalogTables>
export type LogLevel = 'info' | 'warning' | 'error'

/** What a step works with. `Results` is what the steps before it have returned. */
export interface StepContext<Params, Results> {
  readonly job: JobRow
  readonly params: Params
  readonly results: Results
  /** Aborted by cancel and deadline only: an engine that stops leaves orders under way. */
  readonly signal: AbortSignal
  readonly orders: OrderGiver
  readonly catalog: Catalog
  readonly clock: Clock
  /** The fencing token of this claim. */
  readonly token: number
  /** Key for an order of this step; the same for every attempt at the same work. */
  key(suffix?: string): string
  readonly progress: (progress: OrderProgress) => void
  /** Seconds each part waited for the others: names the bottleneck. */
  waits(waits: Readonly<Partial<Record<Bottleneck, number>>>): void
  log(level: LogLevel, code: string, text: string): void
  /** @throws MaasError JOB_FENCED when another engine has the job: nothing is changed then */
  commit<T>(body: (trx: Trx) => Promise<T>): Promise<T>
}
export type Bottleneck = 'source' | 'network' | 'pool' | 'cpu'

interface StepOf<Params, Results, Name extends keyof Results> {
  readonly name: Name
  run(context: StepContext<Params, Results>): Promise<Results[Name]>
  /** Changes the catalog, in the transaction that journals the step as done. */
  apply?(trx: Trx, context: StepContext<Params, Results>, result: Results[Name]): Promise<void>
  /**
   * Takes back what the step did in the world. Idempotent; `result` is null when the step was
   * under way, or failed, and nobody knows how far it came.
   */
  undo?(context: StepContext<Params, Results>, result: Results[Name] | null): Promise<void>
}
export type Step<Params, Results> = {
  [Name in keyof Results]: StepOf<Params, Results, Name>
}[keyof Results]

export type EndState = 'succeeded' | 'warning' | 'failed' | 'cancelled'

export interface Outcome<Results> {
  readonly state: EndState
  /** Of the steps that were done. */
  readonly results: Partial<Results>
  readonly problem: ErrorMessage | null
}

export interface JobDefinitionOf<Params, Results> {
  readonly kind: string
  readonly params: z.ZodType<Params>
  /** What this job must have one of, such as 'host:hst_1'; SLOT_LIMITS says how many there are. */
  slots(params: Params): readonly string[]
  readonly steps: readonly Step<Params, Results>[]
  readonly attemptMax: number
  /** From its first start; then it is undone and fails with JOB_DEADLINE. */
  readonly deadlineMs: number
  /** What the job shows at its end; `warning` when its owner should look at it. */
  conclude?(results: Results): { readonly warning?: boolean; readonly result: object }
  /** Part of the transaction in which the job ends, however it ends. */
  ended?(trx: Trx, context: EndContext<Params>, outcome: Outcome<Results>): Promise<void>
}
export interface EndContext<Params> {
  readonly job: JobRow
  readonly params: Params
  readonly clock: Clock
}

/** With the types forgotten: what the engine runs. */
export type JobDefinition = JobDefinitionOf<unknown, Record<string, unknown>>

/**
 * Checks nothing, forgets the types: each step sees its own parameters and results typed, the
 * engine sees them as what came out of JSON.
 */
export function defineJob<Params, Results extends object>(
  definition: JobDefinitionOf<Params, Results>,
): JobDefinition {
  return definition as unknown as JobDefinition
}
