/**
 * mount(2) and umount2(2) in a process of their own. Either waits in the kernel for whoever serves
 * the disk, and cannot be ended while it does: a node that is away would stop the agent, its
 * heartbeats and every other order with it. A thread would not do, since a process whose thread
 * waits there does not end.
 *
 * A child that is given up goes on in the kernel, and ends when the disk answers or fails.
 */
import { spawn } from 'node:child_process'
import process from 'node:process'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { type ErrorMessage, reviveError } from '@openmaas/kernel/error-message'
import { MaasError } from '@openmaas/kernel/errors'

export type MountRequest =
  | {
      readonly do: 'mount'
      readonly device: string
      readonly target: string
      readonly readOnly: boolean
      /** What is deleted in it is given back to the disk at once. */
      readonly discard?: boolean
    }
  /** The loop device takes the size that its file has now. */
  | { readonly do: 'resize'; readonly target: string; readonly file: string }
  | { readonly do: 'unmount'; readonly target: string; readonly flags: number }

/** On stdout, as JSON: the type of the file system, or whether it was unmounted. */
export type MountAnswer = { readonly value: string | boolean } | { readonly error: ErrorMessage }

export interface MountWait {
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

const ENTRY = fileURLToPath(new URL('./mount-main.ts', import.meta.url))

/**
 * @returns undefined when it was not done in time
 * @throws MaasError CANCELLED, what the system call answers
 */
export async function runMountProcess(
  request: MountRequest,
  { timeoutMs, signal }: MountWait,
): Promise<string | boolean | undefined> {
  if (signal?.aborted === true) throw cancelled(request)
  const args = [...process.execArgv, ENTRY, JSON.stringify(request)]
  // In "/", so that no file system is kept busy.
  const child = spawn(process.execPath, args, { cwd: '/', stdio: ['ignore', 'pipe', 'inherit'] })
  const givenUp = Promise.withResolvers<undefined>()
  const timer = setTimeout(() => givenUp.resolve(undefined), timeoutMs)
  const cancel = (): void => givenUp.reject(cancelled(request))
  signal?.addEventListener('abort', cancel)
  try {
    const failed = new Promise<never>((_resolve, reject) => child.once('error', reject))
    const said = await Promise.race([text(child.stdout), failed, givenUp.promise])
    return said === undefined ? undefined : readAnswer(request, said)
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', cancel)
    // Nothing of it keeps this process: neither when it ends nor when it cannot.
    child.stdout.destroy()
    child.kill('SIGKILL')
    child.unref()
  }
}

function readAnswer(request: MountRequest, said: string): string | boolean {
  if (said === '') {
    const message = `the process that was to ${request.do} the disk was ended`
    throw new MaasError('MEDIUM_ATTACH_FAILED', message, { path: request.target })
  }
  const answer = JSON.parse(said) as MountAnswer
  if ('error' in answer) throw reviveError(answer.error)
  return answer.value
}

function cancelled({ do: verb, target }: MountRequest): MaasError {
  return new MaasError('CANCELLED', `the order to ${verb} the disk was cancelled`, { path: target })
}
