/** What a kind of channel is, and the request that most of them make. */
import { z } from 'zod'
import { MaasError } from '@openmaas/kernel/errors'
import type { NotifyMessage } from './message.ts'

export interface SendContext {
  readonly fetch: typeof fetch
  /** Wall time of this attempt: signatures carry it. */
  readonly nowMs: number
  readonly signal: AbortSignal
}

export interface ChannelKind<Config> {
  /** Strict: what it does not know is a typing error. */
  readonly config: z.ZodType<Config>
  /** Members of the config that go in and never come out. */
  readonly secrets: readonly string[]
  /**
   * @throws MaasError NOTIFY_REFUSED: trying again will not help; NOTIFY_FAILED: it may
   */
  send(config: Config, message: NotifyMessage, context: SendContext): Promise<void>
}

export const httpUrl = z.url({ protocol: /^https?$/ }).max(2048)

/** Answers are a line; more is not for us. */
const ANSWER_LENGTH_MAX = 4096

export interface Answered {
  readonly status: number
  readonly text: string
}

/** @throws MaasError NOTIFY_FAILED, NOTIFY_REFUSED for what is not 2xx */
export async function postJson(
  url: string,
  body: unknown,
  context: SendContext,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answered> {
  const answered = await post(url, typeof body === 'string' ? body : JSON.stringify(body), {
    ...context,
    headers: { 'content-type': 'application/json; charset=utf-8', ...headers },
  })
  const { status, text } = answered
  if (status >= 200 && status < 300) return answered
  const details = { status, answer: text.slice(0, 300) }
  // Timeouts and limits pass; an address or a token that is wrong does not.
  const passes = status >= 500 || status === 408 || status === 429
  const code = passes ? 'NOTIFY_FAILED' : 'NOTIFY_REFUSED'
  throw new MaasError(code, `the channel answered ${status}`, details)
}

async function post(
  url: string,
  body: string,
  options: SendContext & { readonly headers: Readonly<Record<string, string>> },
): Promise<Answered> {
  const { headers, signal } = options
  try {
    const answer = await options.fetch(url, {
      method: 'POST',
      headers: { 'user-agent': 'OpenMaaS', ...headers },
      body,
      // Whoever answers from elsewhere is not whom the administrator named.
      redirect: 'manual',
      signal,
    })
    return { status: answer.status, text: await readStart(answer) }
  } catch (error) {
    throw unreachable(error)
  }
}

async function readStart(answer: Response): Promise<string> {
  let text = ''
  const decoder = new TextDecoder()
  for await (const bytes of answer.body ?? []) {
    text += decoder.decode(bytes as Uint8Array, { stream: true })
    if (text.length >= ANSWER_LENGTH_MAX) break
  }
  return text
}

/** fetch says "fetch failed"; its cause says why. */
export function unreachable(error: unknown): MaasError {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new MaasError(
    'NOTIFY_FAILED',
    'the channel cannot be reached',
    { reason },
    { cause: error },
  )
}

/** The member of a JSON answer by which robots say what HTTP's status does not. */
export function answerCode(
  text: string,
  ...names: readonly string[]
): { code: number; reason: string } {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    parsed = undefined
  }
  const answer = z.record(z.string(), z.unknown()).safeParse(parsed)
  const members = answer.success ? answer.data : {}
  const found = names.map((name) => members[name]).find((value) => typeof value === 'number')
  const reason = [members['errmsg'], members['msg']].find((value) => typeof value === 'string')
  return {
    code: typeof found === 'number' ? found : -1,
    reason: String(reason ?? text.slice(0, 300)),
  }
}
