/** A role as a service: started, told to systemd, kept until a signal, ended in good time. */
import { setTimeout as delay } from 'node:timers/promises'
import { makeLog } from '@openmaas/kernel/log'
import type { Site } from '../program/site.ts'
import { ServiceManager } from './service-manager.ts'

const log = makeLog('openmaas:serve')

/** systemd kills after 90 s by default; what has not ended by then resumes at the next start. */
const DRAIN_MAX_MS = 20_000

export interface Role extends AsyncDisposable {
  /** For the log and for systemd's status line. */
  readonly describe: Readonly<Record<string, string>>
  readonly isAlive?: () => Promise<boolean>
}

/** @param onReady shows what people have to know */
export async function runRole<R extends Role>(
  start: () => Promise<R>,
  site: Pick<Site, 'env' | 'signal'>,
  onReady: (role: R) => void,
): Promise<void> {
  using manager = new ServiceManager(site.env)
  const role = await start()
  onReady(role)
  log.info('ready', role.describe)
  const status = Object.values(role.describe).join(' ')
  manager.ready(status, async () => (await role.isAlive?.()) ?? true)
  await untilAborted(site.signal)
  log.info('stopping')
  manager.stopping()
  const drained = role[Symbol.asyncDispose]().then(
    () => true,
    (error: unknown) => {
      throw firstOf(error)
    },
  )
  const late = delay(DRAIN_MAX_MS, false, { ref: false })
  if (await Promise.race([drained, late])) log.info('stopped')
  else log.warn('stopped with work under way', { afterMs: DRAIN_MAX_MS })
}

/** Of what failed one after the other while parts were ended: a full disk stops many of them. */
function firstOf(error: unknown): unknown {
  let first = error
  while (first instanceof SuppressedError) first = first.suppressed
  return first
}

function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve()))
}
