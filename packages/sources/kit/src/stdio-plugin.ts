/**
 * A plug-in in another language: a child process that gets requests on stdin and answers on
 * stdout, a JSON object a line. Wire: docs/protocols/source-plugin.md.
 *
 *   spawned ──hello──▶ ready ──request──▶ (progress…) ──▶ result | error
 *                        └── ended, or against the protocol ──▶ PLUGIN_FAILED for all that wait
 *
 * It is started with the first request, and again with the next one after it has ended. What is
 * asked of it is checked with the schemas of the orders on the way out and on the way back.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { assert } from '@openmaas/kernel/assert'
import { type ErrorCode, ERRORS, isMaasError, MaasError } from '@openmaas/kernel/errors'
import { formatBytes } from '@openmaas/kernel/units'
import { LineReader } from './line-reader.ts'
import type { PluginContext, SourcePlugin } from './plugin.ts'
import { programEnvironment, STDERR_TAIL_MAX } from './run-program.ts'
import {
  type AnswerLine,
  answerLine,
  type Hello,
  helloLine,
  LINE_SIZE_MAX,
  OPTIONAL_METHODS,
  PLUGIN_METHODS,
  schemasOf,
  STDIO_PROTOCOL,
  type StdioMethod,
} from './stdio-messages.ts'

/** An interpreter that starts on a machine under load. */
const HELLO_MS = 30_000
/** A cancelled request is over after that, or the plug-in is ended (PluginContext.signal). */
const CANCEL_MS = 5000
/** Control asks for a few things at a time per database. */
export const REQUESTS_MAX = 256

/** A plug-in asks an engine and copies files: what needs more is a leak that takes the host. */
export const MEMORY_BYTES_DEFAULT = 1024 ** 3
/** A leak is seen within this. */
const MEMORY_LOOK_MS = 1000

/** Of stderr, in the error. */
const LAST_WORDS_MAX = 500

/** Where a request has an end in sight. A seed, a recovery and a verification take their time. */
const METHOD_MS: Partial<Record<StdioMethod, number>> = {
  discover: 120_000,
  check: 120_000,
  status: 120_000,
  mark: 300_000,
  deactivate: 300_000,
  unfollow: 300_000,
  follow: 600_000,
  hold: 300_000,
  boundLog: 120_000,
}

export interface StdioCommand {
  /** Program and arguments, no shell. */
  readonly command: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  /** Of the plug-in's own process; what it starts is its own matter. */
  readonly memoryBytesMax?: number
  /** Each line that it writes to stderr: the agent's log takes them. */
  readonly onStderr?: (line: string) => void
}

interface Waiting {
  readonly method: StdioMethod
  readonly context: PluginContext
  readonly resolve: (result: unknown) => void
  readonly reject: (error: Error) => void
}

/** A SourcePlugin; ends its process when it is disposed. */
export type StdioPlugin = SourcePlugin & Disposable

/**
 * Starts it once, to learn which engine it knows.
 *
 * @throws MaasError MISSING_PROGRAM, PLUGIN_FAILED
 */
export async function openStdioPlugin(command: StdioCommand): Promise<StdioPlugin> {
  const child = new StdioChild(command)
  const { engine, title, version, optional } = await child.ready().catch((error: unknown) => {
    child.end()
    throw error
  })
  const methods = PLUGIN_METHODS.map((method) => [
    method,
    (params: unknown, context: PluginContext) => child.ask(method, params, context),
  ])
  // Of the agent itself, which nobody cancels.
  const own = (): PluginContext => ({
    signal: new AbortController().signal,
    progress: () => undefined,
  })
  const more = OPTIONAL_METHODS.filter((method) => optional.includes(method)).map((method) => [
    method,
    async (params: unknown): Promise<void> => void (await child.ask(method, params, own())),
  ])
  // Of its newest start: what is installed on the host changes.
  const programs = async (): Promise<readonly string[]> => (await child.ready()).programs
  const plugin = { engine, title, version, programs, [Symbol.dispose]: () => child.end() }
  // Every method of the interface is among them, and its result passed the schema.
  return Object.assign(plugin, Object.fromEntries([...methods, ...more])) as unknown as StdioPlugin
}

class StdioChild {
  readonly #command: StdioCommand
  readonly #waiting = new Map<number, Waiting>()
  #process: ChildProcessWithoutNullStreams | undefined
  #hello: PromiseWithResolvers<Hello> | undefined
  #greeted = false
  #nextId = 1
  /** The newest line of stderr of this run: most often why it ended. */
  #lastWords = ''

  constructor(command: StdioCommand) {
    this.#command = command
  }

  /** Its hello, of this run or of a new one. */
  async ready(): Promise<Hello> {
    if (this.#hello === undefined) this.#start()
    return await this.#hello!.promise
  }

  async ask(method: StdioMethod, params: unknown, context: PluginContext): Promise<unknown> {
    const checked = schemasOf(method).params.safeParse(params)
    assert(checked.success, `the parameters of ${method} are what the schema says`)
    if (context.signal.aborted) throw cancelled(method)
    await this.ready()
    if (this.#waiting.size >= REQUESTS_MAX) {
      throw new MaasError('ORDERS_TOO_MANY', 'the plug-in is busy with too many requests')
    }
    const id = this.#nextId
    this.#nextId += 1
    const limitMs = METHOD_MS[method]
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    this.#waiting.set(id, { method, context, resolve, reject })
    let late: NodeJS.Timeout | undefined
    const cancel = (): void => {
      this.#send({ cancel: id })
      late ??= setTimeout(() => this.#fail('it did not stop a cancelled request'), CANCEL_MS)
    }
    const slow = (): void => this.#fail(`${method} took longer than ${limitMs} ms`)
    const timer = limitMs === undefined ? undefined : setTimeout(slow, limitMs)
    context.signal.addEventListener('abort', cancel)
    this.#send({ id, method, params: checked.data })
    try {
      const result = schemasOf(method).result.safeParse(await promise)
      if (result.success) return result.data
      throw failed(`its answer to ${method} is not what the protocol says`, result.error.message)
    } catch (error) {
      if (context.signal.aborted && !isMaasError(error, 'CANCELLED')) throw cancelled(method, error)
      throw error
    } finally {
      clearTimeout(timer)
      clearTimeout(late)
      context.signal.removeEventListener('abort', cancel)
      this.#waiting.delete(id)
    }
  }

  end(): void {
    const child = this.#process
    this.#forget(failed('it was ended', ''))
    child?.stdin.end()
    child?.kill('SIGTERM')
  }

  #start(): void {
    const hello = Promise.withResolvers<Hello>()
    this.#hello = hello
    this.#greeted = false
    this.#lastWords = ''
    // Whoever waits for it gets the error; when nobody does, it is no unhandled one.
    hello.promise.catch(() => {})
    const { command, environment } = this.#command
    const child = spawn(command[0]!, command.slice(1), {
      cwd: '/',
      env: programEnvironment(environment),
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    this.#process = child
    const timer = setTimeout(() => this.#fail('it did not say hello'), HELLO_MS)
    hello.promise.then(
      () => clearTimeout(timer),
      () => clearTimeout(timer),
    )
    this.#watchMemory(child)
    const reader = new LineReader(LINE_SIZE_MAX)
    child.stdout.on('data', (bytes: Buffer) => {
      if (this.#process !== child) return
      const lines = reader.push(bytes)
      if (lines === null) this.#fail('it wrote a line that is too long')
      else for (const line of lines) this.#receive(line)
    })
    this.#logStderr(child)
    // It ended while we wrote: "close" tells.
    child.stdin.on('error', () => {})
    child.once('error', (error) => {
      if (this.#process === child) this.#forget(missing(command[0]!, error))
    })
    child.once('close', (exitCode, signal) => {
      if (this.#process === child) {
        const said = this.#lastWords === '' ? '' : `: ${this.#lastWords}`
        this.#forget(failed(`it ended (${signal ?? `exit code ${exitCode}`})${said}`, ''))
      }
    })
    // The agent ends when its own work is done; an idle plug-in does not keep it.
    child.unref()
  }

  #watchMemory(child: ChildProcessWithoutNullStreams): void {
    const bytesMax = this.#command.memoryBytesMax ?? MEMORY_BYTES_DEFAULT
    const timer = setInterval(() => {
      if (this.#process !== child || child.pid === undefined) return
      const bytes = residentBytes(child.pid)
      if (bytes <= bytesMax) return
      this.#fail(`it used ${formatBytes(bytes)} of memory; ${formatBytes(bytesMax)} is its limit`)
    }, MEMORY_LOOK_MS)
    timer.unref()
    child.once('close', () => clearInterval(timer))
    child.once('error', () => clearInterval(timer))
  }

  #logStderr(child: ChildProcessWithoutNullStreams): void {
    const reader = new LineReader(STDERR_TAIL_MAX)
    child.stderr.on('data', (bytes: Buffer) => {
      const lines = reader.push(bytes) ?? [bytes.toString('utf8').slice(0, STDERR_TAIL_MAX)]
      for (const line of lines) {
        this.#lastWords = line.slice(0, LAST_WORDS_MAX)
        this.#command.onStderr?.(line)
      }
    })
  }

  #send(message: object): void {
    this.#process?.stdin.write(`${JSON.stringify(message)}\n`)
  }

  #receive(line: string): void {
    const message = parse(line)
    if (!this.#greeted) {
      const hello = helloLine.safeParse(message)
      if (!hello.success) return this.#fail('its first line is no hello')
      const { protocol } = hello.data.hello
      if (protocol !== STDIO_PROTOCOL) return this.#fail(`it speaks protocol ${protocol}`)
      this.#greeted = true
      this.#hello!.resolve(hello.data.hello)
      return
    }
    const answer = answerLine.safeParse(message)
    if (answer.success) this.#answer(answer.data)
    else this.#fail(`it wrote what is no answer: ${line.slice(0, 200)}`)
  }

  #answer(answer: AnswerLine): void {
    const waiting = this.#waiting.get(answer.id)
    // The answer to a request that was given up.
    if (waiting === undefined) return
    if ('progress' in answer) waiting.context.progress(answer.progress)
    else if ('result' in answer) waiting.resolve(answer.result)
    else waiting.reject(errorOf(answer.error))
  }

  /** Against the protocol: there is nothing more to be had of this process. */
  #fail(why: string): void {
    const child = this.#process
    this.#forget(failed(why, ''))
    child?.kill('SIGKILL')
  }

  #forget(error: MaasError): void {
    this.#process = undefined
    this.#hello?.reject(error)
    this.#hello = undefined
    for (const waiting of this.#waiting.values()) waiting.reject(error)
    this.#waiting.clear()
  }
}

/** With what was swapped out; 0 for a process that has ended. */
function residentBytes(pid: number): number {
  let status: string
  try {
    status = readFileSync(`/proc/${pid}/status`, 'latin1')
  } catch {
    return 0 // It has ended, which "close" tells.
  }
  const rows = [...status.matchAll(/^Vm(?:RSS|Swap):\s+(\d+) kB$/gm)]
  return rows.reduce((sum, row) => sum + Number(row[1]) * 1024, 0)
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined // No answer either: whoever checks it says so.
  }
}

function errorOf(error: {
  code: string
  message: string
  details?: object | undefined
}): MaasError {
  const details = { ...error.details }
  if (Object.hasOwn(ERRORS, error.code)) {
    return new MaasError(error.code as ErrorCode, error.message, details)
  }
  return new MaasError('PLUGIN_FAILED', error.message, { ...details, code: error.code })
}

function failed(why: string, reason: string): MaasError {
  return new MaasError('PLUGIN_FAILED', `the plug-in failed: ${why}`, { reason })
}

function missing(program: string, cause: unknown): MaasError {
  return new MaasError('MISSING_PROGRAM', `cannot start ${program}`, { program }, { cause })
}

function cancelled(method: StdioMethod, cause?: unknown): MaasError {
  return new MaasError('CANCELLED', `${method} was cancelled`, {}, { cause })
}
