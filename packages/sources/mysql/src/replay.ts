/** Applies log on a server by the engine's own two programs: one prints it, the other runs it. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { pipeline } from 'node:stream/promises'
import { MaasError } from '@openmaas/kernel/errors'
import { programEnvironment } from '@openmaas/source-kit/run-program'
import type { ReplayPlan } from './binlog/plan.ts'
import { writeClientFile } from './private-server.ts'
import type { PrivateServer } from './private-server.ts'

/** Of what a program says on stderr: the reason stands at its end. */
const STDERR_MAX = 2000

/** @throws MaasError DATABASE_PROGRAM_FAILED, CANCELLED */
export async function replay(
  server: PrivateServer,
  plan: ReplayPlan,
  signal: AbortSignal,
): Promise<void> {
  if (plan.files.length === 0) return
  const { programs, layout } = server
  const printer = start(
    [
      programs.binlog,
      '--no-defaults',
      // Of the log on the volume, which nothing else has checked yet.
      '--verify-binlog-checksum',
      `--start-position=${plan.begin}`,
      `--stop-position=${plan.end}`,
      ...plan.files,
    ],
    signal,
  )
  const runner = start(
    [
      programs.client,
      `--defaults-file=${writeClientFile(layout)}`,
      '--binary-mode', // Values hold any bytes, and none is a command of the client.
      '--local-infile=0', // It is root, and the log might ask for any of its files.
      '--max-allowed-packet=1G',
    ],
    signal,
  )
  const ends = [endOf(printer, 'reading the log'), endOf(runner, 'applying the log')]
  // When one of the two ends early, the other ends by its broken pipe.
  const flow = pipeline(printer.child.stdout!, runner.child.stdin!).catch(() => {})
  const results = await Promise.allSettled([...ends, flow])
  if (signal.aborted) throw new MaasError('CANCELLED', 'the recovery was cancelled', {})
  // The second knows why: the first only lost its reader.
  for (const result of [results[1]!, results[0]!]) {
    if (result.status === 'rejected') throw result.reason
  }
}

interface Running {
  readonly child: ChildProcess
  readonly stderr: () => string
}

function start(command: readonly string[], signal: AbortSignal): Running {
  const child = spawn(command[0]!, command.slice(1), {
    cwd: '/',
    env: programEnvironment(),
    stdio: ['pipe', 'pipe', 'pipe'],
    signal,
    killSignal: 'SIGKILL',
  })
  let text = ''
  child.stderr.on('data', (bytes: Buffer) => (text = (text + bytes.toString()).slice(-STDERR_MAX)))
  return { child, stderr: () => text.trim() }
}

async function endOf({ child, stderr }: Running, doing: string): Promise<void> {
  const [exitCode, name] = (await once(child, 'close')) as [number | null, string | null]
  if (exitCode === 0) return
  const message = `${doing} failed: ${stderr().split('\n').at(-1) || name || `code ${exitCode}`}`
  throw new MaasError('DATABASE_PROGRAM_FAILED', message, { stderr: stderr() })
}
