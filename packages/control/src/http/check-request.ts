/**
 * From what came over the wire to what a handler may believe: JSON of bounded depth without NUL,
 * then the route's schemas. Whatever is wrong is one 422 that names every place.
 */
import { z } from 'zod'
import { type Route, WAIT_MAX_SECONDS, waitText } from '@openmaas/api/routes/define-route'
import { isSchema } from '@openmaas/api/routes/routes'
import { MaasError } from '@openmaas/kernel/errors'
import { type Language, requestInvalid } from './handler.ts'

/** Documents of ours are less than ten deep. */
const JSON_DEPTH_MAX = 32
/** Places that are named; a client that errs more often errs in general. */
const ISSUE_COUNT_MAX = 100

/** Failure of a schema: places and words, in the caller's language. */
export class SchemaError extends MaasError {
  readonly errors: readonly { readonly pointer: string; readonly detail: string }[]

  constructor(errors: SchemaError['errors']) {
    const [first] = errors
    super('REQUEST_INVALID', `${first?.pointer ?? ''}: ${first?.detail ?? 'is not valid'}`)
    this.errors = errors
  }
}

export interface Checked {
  readonly params: unknown
  readonly query: unknown
  readonly body: unknown
  readonly dryRun: boolean
  /** How long to hold the answer; 0: not at all. */
  readonly waitMs: number
}

export interface RawRequest {
  readonly params: unknown
  readonly query: unknown
  readonly body: unknown
}

/** @throws SchemaError, MaasError REQUEST_MALFORMED */
export function checkRequest(route: Route, raw: RawRequest, language: Language): Checked {
  const { dryRun, wait, ...query } = { ...(raw.query as Record<string, unknown>) }
  checkTexts(raw.params)
  checkTexts(query)
  checkTexts(raw.body)
  const errors: { pointer: string; detail: string }[] = []
  const parse = (schema: z.ZodType | undefined, value: unknown, prefix: string): unknown => {
    if (schema === undefined) {
      if (isEmpty(value)) return undefined
      const key = Object.keys(value as object)[0] ?? ''
      errors.push({ pointer: `${prefix}/${key}`, detail: UNEXPECTED[language] })
      return undefined
    }
    const result = schema.safeParse(value ?? {})
    if (result.success) return result.data
    errors.push(...issuesOf(result.error, prefix, language))
    return undefined
  }
  const checked = {
    params: parse(route.params, raw.params, '/params'),
    query: parse(route.query, query, '/query'),
    body: parse(route.body, raw.body, ''),
    dryRun: readDryRun(route, dryRun),
    waitMs: readWait(route, wait),
  }
  if (errors.length > 0) throw new SchemaError(errors.slice(0, ISSUE_COUNT_MAX))
  return checked
}

const UNEXPECTED = { en: 'nothing is expected here', zh: '此处不应有内容' }

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null) return true
  return typeof value === 'object' && Object.keys(value).length === 0
}

function readDryRun(route: Route, value: unknown): boolean {
  if (value === undefined) return false
  if (route.dryRun !== true) throw requestInvalid('/query/dryRun', 'this route has no dry run')
  // Anything unclear must not end in a deletion.
  if (value !== 'true' && value !== 'false') {
    throw requestInvalid('/query/dryRun', 'true or false is expected')
  }
  return value === 'true'
}

function readWait(route: Route, value: unknown): number {
  if (value === undefined) return 0
  if (route.wait !== true) throw requestInvalid('/query/wait', 'there is nothing to wait for')
  const text = waitText.safeParse(value)
  if (!text.success) throw requestInvalid('/query/wait', 'a duration such as 30s is expected')
  const seconds = Number.parseInt(text.data, 10) * (text.data.endsWith('m') ? 60 : 1)
  return Math.min(seconds, WAIT_MAX_SECONDS) * 1000
}

const LOCALES = { en: z.locales.en().localeError, zh: z.locales.zhCN().localeError }

function issuesOf(error: z.ZodError, prefix: string, language: Language) {
  return error.issues.map((issue) => ({
    pointer: prefix + pointerOf(issue),
    detail: wordsOf(issue, language),
  }))
}

function wordsOf(issue: z.core.$ZodIssue, language: Language): string {
  // A sentence of a schema of ours says more than the general one.
  if (issue.code === 'custom' || language === 'en') return issue.message
  const words = LOCALES[language](issue as unknown as z.core.$ZodRawIssue)
  return (typeof words === 'string' ? words : words?.message) ?? issue.message
}

/** RFC 6901. An unknown field is named itself, not the object that has it. */
function pointerOf(issue: z.core.$ZodIssue): string {
  const path = [...issue.path]
  if (issue.code === 'unrecognized_keys' && issue.keys[0] !== undefined) path.push(issue.keys[0])
  return path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}

/**
 * NUL has no place in a text of PostgreSQL, lone surrogates none in UTF-8, and what is nested
 * without end would overflow whoever walks it. The walk itself keeps its own stack.
 */
function checkTexts(value: unknown): void {
  const pending: { value: unknown; depth: number }[] = [{ value, depth: 0 }]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (typeof next.value === 'string') checkText(next.value)
    if (typeof next.value !== 'object' || next.value === null) continue
    if (next.depth >= JSON_DEPTH_MAX) {
      throw new MaasError('REQUEST_MALFORMED', `JSON is nested deeper than ${JSON_DEPTH_MAX}`)
    }
    for (const [key, child] of Object.entries(next.value)) {
      checkText(key)
      pending.push({ value: child, depth: next.depth + 1 })
    }
  }
}

function checkText(text: string): void {
  if (text.includes('\0') || !text.isWellFormed()) {
    throw new MaasError('REQUEST_MALFORMED', 'NUL and lone surrogates are not taken')
  }
}

/**
 * The answer as the contract has it: what is not declared is dropped.
 *
 * @throws MaasError INTERNAL when a handler broke the contract
 */
export function checkAnswer(route: Route, status: number, body: unknown): unknown {
  const answer = route.response[status]
  if (answer === undefined || (answer !== null && !isSchema(answer))) {
    throw new MaasError('INTERNAL', `status ${status} is not in the contract`)
  }
  if (answer === null) return null
  const result = answer.safeParse(body)
  if (result.success) return result.data
  const places = result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`)
  throw new MaasError('INTERNAL', 'an answer broke the contract', { places: places.slice(0, 20) })
}
