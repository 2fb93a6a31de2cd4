/**
 * Structured logs: one event name with fields, never a sentence built of values. JSON lines by
 * pino to stderr, or short lines for people on a terminal.
 *
 *   const log = makeLog('openmaas:pool:gc')      // once, in src/log.ts of the package
 *   log.info('condemned', { packs: 3 })
 *
 * Silent until `configureLog` is called, and then a call costs one comparison. pino is loaded
 * with the first line that is written, since a command that logs nothing must start quickly.
 */
import { createRequire } from 'node:module'
import { writeSync } from 'node:fs'
import { stderr } from 'node:process'
import { MaasError } from './errors.ts'

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]
type WrittenLevel = Exclude<LogLevel, 'silent'>

export interface LogFields {
  readonly [key: string]: unknown
}

export interface Log {
  trace(event: string, fields?: LogFields): void
  debug(event: string, fields?: LogFields): void
  info(event: string, fields?: LogFields): void
  warn(event: string, fields?: LogFields): void
  error(event: string, fields?: LogFields): void
  /** A log whose every line carries these fields too. */
  with(fields: LogFields): Log
}

export interface LogOptions {
  readonly level: LogLevel
  /** `auto`: for people when stderr is a terminal. */
  readonly format?: 'json' | 'human' | 'auto'
  /** Receives each line with its newline; stderr by default. */
  readonly write?: (line: string) => void
}

type Sink = (level: WrittenLevel, component: string, event: string, fields: LogFields) => void

let threshold: number = LOG_LEVELS.indexOf('silent')
let sink: Sink | undefined
let options: LogOptions = { level: 'silent' }

/** Sets level and form for this thread; logs made earlier follow. */
export function configureLog(chosen: LogOptions): void {
  options = chosen
  threshold = LOG_LEVELS.indexOf(chosen.level)
  sink = undefined
}

/** @param component `openmaas:` and the parts of the product, with colons */
export function makeLog(component: string, bound: LogFields = {}): Log {
  const at = (level: WrittenLevel) => {
    const rank = LOG_LEVELS.indexOf(level)
    return (event: string, fields: LogFields = {}): void => {
      if (rank < threshold) return
      sink ??= makeSink()
      const clean = redact({ ...bound, ...fields }, 0) as LogFields
      sink(level, component, event, clean)
    }
  }
  return {
    trace: at('trace'),
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    with: (fields) => makeLog(component, { ...bound, ...fields }),
  }
}

function makeSink(): Sink {
  // Synchronous: a line written before a crash is a line seen after it.
  const write = options.write ?? ((line: string) => void writeSync(stderr.fd, line))
  const { format = 'auto' } = options
  const human = format === 'human' || (format === 'auto' && stderr.isTTY)
  return human ? humanSink(write) : jsonSink(write)
}

function jsonSink(write: (line: string) => void): Sink {
  const pino = createRequire(import.meta.url)('pino') as typeof import('pino').pino
  const root = pino(
    { level: 'trace', base: null, formatters: { level: (label) => ({ level: label }) } },
    { write },
  )
  return (level, component, event, fields) => root[level]({ ...fields, component }, event)
}

/** `14:03:22 warn  pool:gc condemned packs=3` */
function humanSink(write: (line: string) => void): Sink {
  return (level, component, event, fields) => {
    const time = new Date().toTimeString().slice(0, 8)
    const pairs = Object.entries(fields).map(([key, value]) => ` ${key}=${spell(value)}`)
    const name = component.replace(/^openmaas:/, '')
    write(`${time} ${level.padEnd(5)} ${name} ${event}${pairs.join('')}\n`)
  }
}

function spell(value: unknown): string {
  // JSON text escapes control characters: a file name cannot write to the terminal.
  if (typeof value === 'string' && /^[\w./:@-]+$/.test(value)) return value
  return JSON.stringify(value) ?? 'undefined'
}

const SECRET = /pass(word|phrase)|secret|token|credential|privatekey|masterkey|^key$|authorization/i
/** What names a file of a secret is not the secret. */
const SECRET_PATH = /file$|path$/i

/** Deeper objects are no log fields any more. */
const DEPTH_MAX = 4
/** Elements of a list shown; the count of the rest follows. */
const LIST_MAX = 20
/** Characters of a text shown. */
const TEXT_MAX = 2000

/** A copy fit for a log: no secret, no bytes, no bigint, nothing endless. */
function redact(value: unknown, depth: number): unknown {
  if (typeof value === 'bigint') return value.toString()
  if (typeof value === 'string') {
    return value.length <= TEXT_MAX ? value : `${value.slice(0, TEXT_MAX)}…`
  }
  if (typeof value !== 'object' || value === null) return value
  if (ArrayBuffer.isView(value)) return `(${value.byteLength} bytes)`
  if (value instanceof Error) return redactError(value, depth)
  if (value instanceof Date) return value.toISOString()
  if (depth >= DEPTH_MAX) return '…'
  if (Array.isArray(value)) {
    const shown = value.slice(0, LIST_MAX).map((one) => redact(one, depth + 1))
    return value.length <= LIST_MAX ? shown : [...shown, `… ${value.length - LIST_MAX} more`]
  }
  const rows = Object.entries(value).map(([key, field]) => {
    const secret = SECRET.test(key) && !SECRET_PATH.test(key) && field !== undefined
    return [key, secret ? '(secret)' : redact(field, depth + 1)]
  })
  return Object.fromEntries(rows)
}

function redactError(error: Error, depth: number): LogFields {
  const { name, message, stack } = error
  const cause =
    error.cause instanceof Error && depth < DEPTH_MAX
      ? { cause: redactError(error.cause, depth + 1) }
      : {}
  // The stack of a failure of the world says little; that of a bug says everything.
  if (error instanceof MaasError) {
    return { code: error.code, message, details: redact(error.details, depth + 1), ...cause }
  }
  return { name, message, stack, ...cause }
}
