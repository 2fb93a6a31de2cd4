/**
 * Sends what is due. What is due for one channel at one time becomes one message: so a digest is
 * nothing but messages of one hour, and a hundred alerts at once ring once.
 *
 *   waiting ──claim (attempts+1, nextAt = lease)──▶ send ─┬─▶ sent
 *      ▲                                                  ├─▶ failed   refused, or too often
 *      └──────────── nextAt = back-off ───────────────────┘
 *
 * A server that dies between sending and noting it sends again after the lease: at least once.
 */
import { z } from 'zod'
import type { Clock } from '@openmaas/kernel/clock'
import { isMaasError, MaasError } from '@openmaas/kernel/errors'
import { makeLog } from '@openmaas/kernel/log'
import type { Random } from '@openmaas/kernel/random'
import { Rounds } from '@openmaas/kernel/rounds'
import type { ServerKey } from '../../auth/server-key.ts'
import type { SettingsStore } from '../../auth/settings-store.ts'
import type { Catalog } from '../../catalog/catalog.ts'
import { queueFromEvents } from './alert-events.ts'
import {
  channelKindOf,
  channelsOf,
  loadChannel,
  matchOf,
  openConfig,
} from './channel-repository.ts'
import type { ChannelRow } from './channel-repository.ts'
import { kindOf } from './kinds.ts'
import { matchesAlert } from './match.ts'
import { makeMessage } from './message.ts'
import type { AlertText, Language, MessageAlert, NotifyMessage } from './message.ts'
import { labelsOf } from './queue.ts'
import type { AlertRow, NotificationRow } from './queue.ts'

const log = makeLog('openmaas:control:notify')

export interface NotifierOptions {
  readonly catalog: Catalog
  readonly clock: Clock
  readonly random: Random
  readonly serverKey: ServerKey
  readonly settings: SettingsStore
  readonly fetch: typeof fetch
  /** The texts of an alert, from the table of its rules. */
  readonly describe: (
    alert: { readonly rule: string; readonly params: Readonly<Record<string, unknown>> },
    language: Language,
  ) => AlertText
}

const POLL_MS = 2000
/** Channels at a time: each has its own receiver. */
const CHANNEL_COUNT_MAX = 4
/** Alerts in one message; the rest goes with the next. */
const GATHERED_COUNT_MAX = 200
const ATTEMPT_TIME_MAX_MS = 30_000
/** Longer than an attempt: nobody takes what is being sent. */
const LEASE_MS = 2 * 60_000
const BACKOFF_FIRST_MS = 30_000
const BACKOFF_MAX_MS = 3_600_000
/** With that back-off, for half a day. */
export const ATTEMPT_COUNT_MAX = 16
/** Of what is remembered about a failure. */
const ERROR_LENGTH_MAX = 300

/** What was sent is shown for a quarter of a year. */
const KEPT_MS = 90 * 86_400_000
const PRUNE_EVERY_MS = 3_600_000

const paramsText = z.record(z.string(), z.unknown())

export class Notifier {
  readonly #options: NotifierOptions
  readonly #stopping = new AbortController()
  readonly #rounds = new Rounds({
    everyMs: POLL_MS,
    round: async () => void (await this.tick()),
    onError: (error) => log.error('tick failed', { error }),
  })
  #pruneAtMs = 0

  constructor(options: NotifierOptions) {
    this.#options = options
  }

  start(): void {
    this.#rounds.start()
  }

  /** What was being sent is sent again by the next server, after the lease. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#rounds.stop()
  }

  /** Sends all that is due at this moment, once. @returns messages that were tried */
  async tick(): Promise<number> {
    const { catalog, clock, random } = this.#options
    await queueFromEvents(catalog, { clock, random })
    await this.#prune()
    const due = await catalog.db
      .selectFrom('notification')
      .select('channelId')
      .distinct()
      .where('state', '=', 'waiting')
      .where('nextAt', '<=', clock.wallMs())
      .execute()
    const waiting = due.map((row) => row.channelId)
    let tried = 0
    const work = async (): Promise<void> => {
      for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
        if (this.#stopping.signal.aborted) return
        if (await this.#serve(next)) tried += 1
      }
    }
    await Promise.all(Array.from({ length: CHANNEL_COUNT_MAX }, () => work()))
    return tried
  }

  async #prune(): Promise<void> {
    const { catalog, clock } = this.#options
    if (clock.monotonicMs() < this.#pruneAtMs) return
    this.#pruneAtMs = clock.monotonicMs() + PRUNE_EVERY_MS
    await catalog.db
      .deleteFrom('notification')
      .where('state', '!=', 'waiting')
      .where('nextAt', '<', clock.wallMs() - KEPT_MS)
      .execute()
  }

  async #serve(channelId: string): Promise<boolean> {
    const rows = await this.#claim(channelId)
    if (rows.length === 0) return false
    try {
      const channel = await loadChannel(this.#options.catalog.db, channelId)
      if (channel.enabled === 0) {
        throw new MaasError('NOTIFY_REFUSED', 'the channel is switched off')
      }
      const message = await this.#compose(channel, rows)
      if (message !== null) await this.send(channel, message)
      await this.#note(rows, { state: 'sent', error: null })
    } catch (error) {
      await this.#noteFailure(rows, error)
    }
    return true
  }

  /**
   * One attempt, without the queue: also for "send test".
   *
   * @throws MaasError NOTIFY_FAILED, NOTIFY_REFUSED, SEALED_INVALID
   */
  async send(channel: ChannelRow, message: NotifyMessage): Promise<void> {
    const { clock, serverKey, fetch } = this.#options
    const kind = kindOf(channelKindOf(channel))
    const config = kind.config.parse(openConfig(channel, serverKey))
    const timeout = AbortSignal.timeout(ATTEMPT_TIME_MAX_MS)
    const signal = AbortSignal.any([timeout, this.#stopping.signal])
    await kind.send(config, message, { fetch, nowMs: clock.wallMs(), signal })
  }

  /** Takes what is due, so that no other server takes it. */
  #claim(channelId: string): Promise<NotificationRow[]> {
    const { catalog, clock } = this.#options
    const now = clock.wallMs()
    return catalog.transaction(async (trx) => {
      const rows = await trx
        .selectFrom('notification')
        .selectAll()
        .where('channelId', '=', channelId)
        .where('state', '=', 'waiting')
        .where('nextAt', '<=', now)
        .orderBy('nextAt')
        .orderBy('id')
        .limit(GATHERED_COUNT_MAX)
        .execute()
      if (rows.length === 0) return []
      const ids = rows.map((row) => row.id)
      await trx
        .updateTable('notification')
        .set((eb) => ({ attempts: eb('attempts', '+', 1), nextAt: now + LEASE_MS }))
        .where('id', 'in', ids)
        .execute()
      return rows.map((row) => ({ ...row, attempts: row.attempts + 1 }))
    })
  }

  /** @returns null when the alerts are no more */
  async #compose(
    channel: ChannelRow,
    rows: readonly NotificationRow[],
  ): Promise<NotifyMessage | null> {
    const { catalog, clock, settings, describe } = this.#options
    const ids = [...new Set(rows.map((row) => row.alertId))]
    const alerts = await catalog.db
      .selectFrom('alert')
      .selectAll()
      .where('id', 'in', ids)
      .orderBy('openedAt')
      .execute()
    const [first] = alerts
    if (first === undefined) return null
    const language = await this.#languageOf(channel.id, first)
    const described = alerts.map((alert): MessageAlert => {
      const { id, rule, severity, state, subject, openedAt, resolvedAt } = alert
      const params = paramsText.parse(JSON.parse(alert.paramsJson))
      const texts = describe({ rule, params }, language)
      const labels = labelsOf(alert)
      return { ...texts, id, rule, severity, state, subject, labels, openedAt, resolvedAt }
    })
    const { publicUrl } = await settings.load()
    const options = { id: rows[0]!.id, at: clock.wallMs(), language, publicUrl }
    return makeMessage(described, options)
  }

  /** That of the first rule which sends this alert there. */
  async #languageOf(channelId: string, alert: AlertRow): Promise<Language> {
    const rules = await this.#options.catalog.db
      .selectFrom('notifyRule')
      .selectAll()
      .where('enabled', '=', 1)
      .orderBy('id')
      .execute()
    const facts = { rule: alert.rule, severity: alert.severity, labels: labelsOf(alert) }
    const sending = rules.find(
      (rule) => channelsOf(rule).includes(channelId) && matchesAlert(matchOf(rule), facts),
    )
    return sending === undefined ? 'en' : matchOf(sending).language
  }

  async #noteFailure(rows: readonly NotificationRow[], error: unknown): Promise<void> {
    const { clock } = this.#options
    const text = wordsOf(error).slice(0, ERROR_LENGTH_MAX)
    const again = isMaasError(error, 'NOTIFY_FAILED')
    // A bug or a key that does not open: the log has it, and the queue goes on.
    if (!isMaasError(error)) log.error('message failed', { error })
    for (const row of rows) {
      const retried = again && row.attempts < ATTEMPT_COUNT_MAX
      const waitMs = Math.min(BACKOFF_FIRST_MS * 2 ** (row.attempts - 1), BACKOFF_MAX_MS)
      const nextAt = clock.wallMs() + waitMs
      await this.#note([row], {
        state: retried ? 'waiting' : 'failed',
        error: text,
        ...(retried ? { nextAt } : {}),
      })
    }
  }

  async #note(
    rows: readonly NotificationRow[],
    noted: {
      readonly state: NotificationRow['state']
      readonly error: string | null
      readonly nextAt?: number
    },
  ): Promise<void> {
    const { catalog, clock } = this.#options
    const ids = rows.map((row) => row.id)
    await catalog.db
      .updateTable('notification')
      .set({ nextAt: clock.wallMs(), ...noted })
      .where('id', 'in', ids)
      .execute()
  }
}

/** What a person needs to mend the channel: with what the receiver answered. */
export function wordsOf(error: unknown): string {
  if (!(error instanceof MaasError)) return 'internal error: see the log of the server'
  const { answer, reason } = error.details
  const more = [answer, reason].filter((part) => part !== undefined && part !== '')
  return [error.message, ...more].join(': ')
}
