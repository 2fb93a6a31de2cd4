/** One attempt at one delivery: a signed POST of a CloudEvent. */
import type { cloudEvent } from '@openmaas/api/resources/event'
import type { z } from 'zod'
import { sign } from './signature.ts'

/** Receivers queue and answer; who works for longer than this does it wrong. */
const ATTEMPT_TIME_MAX_MS = 15_000
/** Of what is remembered about a failure. */
const ERROR_LENGTH_MAX = 300

/** fetch, or what stands for it in a test. */
export type Post = (
  url: string,
  init: {
    readonly method: 'POST'
    readonly headers: Readonly<Record<string, string>>
    readonly body: string
    readonly redirect: 'manual'
    readonly signal: AbortSignal
  },
) => Promise<{ readonly status: number; readonly body?: { cancel(): Promise<void> } | null }>

export interface WebhookMessage {
  readonly id: string
  readonly event: z.infer<typeof cloudEvent>
}

export interface Posted {
  readonly delivered: boolean
  readonly status: number | null
  readonly error: string | null
  /** Another attempt would not help. */
  readonly final?: boolean
}

export async function postMessage(
  post: Post,
  attempt: {
    readonly url: string
    readonly secret: string
    readonly message: WebhookMessage
    readonly nowMs: number
    readonly signal?: AbortSignal
  },
): Promise<Posted> {
  const { url, secret, message, nowMs } = attempt
  const body = JSON.stringify(message.event)
  const timestampSeconds = Math.floor(nowMs / 1000)
  const timeout = AbortSignal.timeout(ATTEMPT_TIME_MAX_MS)
  const signal = attempt.signal === undefined ? timeout : AbortSignal.any([timeout, attempt.signal])
  try {
    const response = await post(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/cloudevents+json; charset=utf-8',
        'user-agent': 'OpenMaaS-Webhook',
        'webhook-id': message.id,
        'webhook-timestamp': String(timestampSeconds),
        'webhook-signature': sign(secret, { id: message.id, timestampSeconds, body }),
      },
      body,
      // Whoever answers from elsewhere is not whom the administrator named.
      redirect: 'manual',
      signal,
    })
    // What it says is nobody's business here, and may be endless.
    await response.body?.cancel()
    const { status } = response
    const delivered = status >= 200 && status < 300
    return { delivered, status, error: delivered ? null : `the receiver answered ${status}` }
  } catch (error) {
    return { delivered: false, status: null, error: wordsOf(error).slice(0, ERROR_LENGTH_MAX) }
  }
}

/** fetch says "fetch failed"; its cause says why. */
function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? error.cause.message : error.message
}
