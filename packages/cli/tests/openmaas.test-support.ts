/** The program against the server of a test. */
import { spawn } from 'node:child_process'
import type { ServerSite } from './server-site.test-support.ts'
import { transcriptEnvironment } from './transcript.ts'

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Longer than any command takes on a busy machine. */
const TIMEOUT_MS = 120_000

/** @param directory of the test; a home is below it */
export function runOpenmaas(
  { url, tokenFile }: Pick<ServerSite, 'url' | 'tokenFile'>,
  directory: string,
  args: readonly string[],
  more: NodeJS.ProcessEnv = {},
): Promise<Ended> {
  const server = { OPENMAAS_SERVER: url, OPENMAAS_TOKEN_FILE: tokenFile }
  const env = { ...transcriptEnvironment(directory), ...server, ...more }
  const child = spawn('openmaas', args, {
    cwd: directory,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: TIMEOUT_MS,
  })
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, stdout, stderr }))
  })
}
