/**
 * The lines that agent and plug-in exchange over stdin and stdout: one JSON object a line, UTF-8.
 * Wire: docs/protocols/source-plugin.md. Both ends check what they are told.
 */
import { z } from 'zod'
import {
  AGENT_DATABASE_VERBS,
  DATABASE_ORDERS,
  databaseEngine,
} from '@openmaas/protocols/channel/database-orders'
import type { PluginMethod } from './plugin.ts'

/** Of the lines below; another number is another protocol. */
export const STDIO_PROTOCOL = 1
/** With its newline. A verification of ten thousand checks is the longest answer there is. */
export const LINE_SIZE_MAX = 16 * 1024 * 1024

const id = z.number().int().positive()

/** The first line of a plug-in, by itself. */
export const helloLine = z.object({
  hello: z.object({
    protocol: z.number().int(),
    engine: databaseEngine,
    title: z.string().min(1).max(100),
    /** Of the plug-in. */
    version: z.string().max(100).default(''),
    /** Versions of the engine whose programs this host has, for people to read. */
    programs: z.array(z.string().max(100)).max(64).default([]),
    /** Of OPTIONAL_METHODS, those it has; what is not among them is for a later agent. */
    optional: z.array(z.string().max(100)).max(64).default([]),
  }),
})
export type Hello = z.output<typeof helloLine>['hello']

export const progressLine = z.object({
  id,
  progress: z.object({
    phase: z.string().max(100),
    bytesDone: z.number().nonnegative(),
    bytesTotal: z.number().nonnegative().nullable(),
  }),
})

/** `code` is one of docs/reference/errors.md; any other becomes PLUGIN_FAILED. */
export const errorLine = z.object({
  id,
  error: z.object({
    code: z.string().max(100),
    message: z.string().max(4096),
    details: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
  }),
})

export const resultLine = z.object({ id, result: z.record(z.string(), z.unknown()) })

export const answerLine = z.union([progressLine, errorLine, resultLine])
export type AnswerLine = z.output<typeof answerLine>

/** What the agent does itself is nothing to ask a plug-in. */
const AGENT_VERBS: ReadonlySet<string> = new Set(AGENT_DATABASE_VERBS)

export const PLUGIN_METHODS = Object.keys(DATABASE_ORDERS)
  .filter((verb) => !AGENT_VERBS.has(verb))
  .map((verb) => verb.replace('database.', '')) as readonly PluginMethod[]

/** What a plug-in may leave out, and is no order: the agent asks it by itself. */
export type OptionalMethod = 'hold' | 'boundLog'
export const OPTIONAL_METHODS: readonly OptionalMethod[] = ['hold', 'boundLog']
export type StdioMethod = PluginMethod | OptionalMethod

const OPTIONAL_SCHEMAS: Record<OptionalMethod, { params: z.ZodType; result: z.ZodType }> = {
  hold: { params: DATABASE_ORDERS['database.follow'].params, result: z.object({}) },
  // The place, and nothing beside it.
  boundLog: { params: DATABASE_ORDERS['database.discard'].params, result: z.object({}) },
}

/** `seed` → the parameters and the result of `database.seed`. */
export function schemasOf(method: StdioMethod): { params: z.ZodType; result: z.ZodType } {
  if (method === 'hold' || method === 'boundLog') return OPTIONAL_SCHEMAS[method]
  return DATABASE_ORDERS[`database.${method}`]
}
