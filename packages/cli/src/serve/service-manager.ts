/** What systemd is told: ready, alive, stopping. Nothing where no NOTIFY_SOCKET is set. */
import { notifyManager } from '@openmaas/kernel/posix/notify'
import { makeLog } from '@openmaas/kernel/log'

const log = makeLog('openmaas:serve')

type Environment = Readonly<Record<string, string | undefined>>

export class ServiceManager implements Disposable {
  readonly #socket: string | undefined
  readonly #watchdogMs: number | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(env: Environment) {
    this.#socket = env['NOTIFY_SOCKET'] || undefined
    const micros = Number(env['WATCHDOG_USEC'])
    this.#watchdogMs = micros > 0 ? micros / 1000 : undefined
  }

  /** @param isAlive asked at half the watchdog's time; while it is false, systemd waits to kill */
  ready(status: string, isAlive: () => Promise<boolean>): void {
    this.#tell(`READY=1\nSTATUS=${status}`)
    if (this.#watchdogMs === undefined || this.#socket === undefined) return
    const beat = async (): Promise<void> => {
      if (await isAlive()) this.#tell('WATCHDOG=1')
    }
    this.#timer = setInterval(() => {
      beat().catch((error: unknown) => log.error('the server does not answer', { error }))
    }, this.#watchdogMs / 2)
    this.#timer.unref()
  }

  stopping(): void {
    clearInterval(this.#timer)
    this.#tell('STOPPING=1')
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }

  /** A manager that has gone is no reason to end: the work is not its own. */
  #tell(state: string): void {
    if (this.#socket === undefined) return
    try {
      notifyManager(this.#socket, state)
    } catch (error) {
      log.warn('systemd was not told', { state, error })
    }
  }
}
