/** Transcripts against `openmaas serve`, one server for each, on ports that it chooses itself. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { requires } from '@openmaas/testkit/requires'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import {
  compare,
  parseTranscript,
  readNeeds,
  runStep,
  transcriptEnvironment,
} from './transcript.ts'

const START_TIMEOUT_MS = 120_000
const LISTEN = ['listen', 'channel-listen', 'data-listen', 'nbd-listen'].flatMap((name) => [
  `--${name}`,
  '127.0.0.1:0',
])

interface Ready {
  readonly url: string
  readonly fingerprint: string
  readonly login: { readonly password: string }
}

/** The server of one directory, whose address and first password are put into files there. */
class Serve {
  #child: ChildProcess | undefined

  async start(directory: string): Promise<void> {
    const data = path.join(directory, 'server')
    const env = { ...transcriptEnvironment(directory), OPENMAAS_POOL: '' }
    const args = ['serve', '--json', '--data', data, '--log-level', 'error', ...LISTEN]
    const child = spawn('openmaas', args, {
      cwd: directory,
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    this.#child = child
    let output = ''
    child.stdout.setEncoding('utf8')
    for await (const piece of child.stdout) {
      output += String(piece)
      if (output.includes('\n')) break
    }
    const ready = JSON.parse(output) as Ready
    const files = { url: ready.url, fingerprint: ready.fingerprint, password: ready.login.password }
    const more = { new: 'a password of some length', nonsense: 'not this one at all' }
    for (const [name, text] of Object.entries({ ...files, ...more })) {
      writeFileSync(path.join(directory, name), `${text}\n`, { mode: 0o600 })
    }
  }

  async stop(): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    await ended
  }
}

function playTranscript(text: string): void {
  const directory = new TemporaryDirectory()
  const serve = new Serve()
  beforeAll(() => serve.start(directory.path), START_TIMEOUT_MS)
  afterAll(async () => {
    await serve.stop()
    directory.dispose()
  }, START_TIMEOUT_MS)
  let failed = false
  for (const step of parseTranscript(text)) {
    test(`line ${step.line}: ${step.command.split('\n')[0]}`, ({ skip }) => {
      skip(failed, 'an earlier line failed')
      const problem = compare(step, runStep(step, directory.path))
      failed = problem !== undefined
      expect(problem ?? '').toBe('')
    })
  }
}

const files = globSync(path.join(import.meta.dirname, 'server-transcripts/*.txt')).toSorted()
for (const file of files) {
  const text = readFileSync(file, 'utf8')
  describe(`server transcript ${path.basename(file, '.txt')}`, () => {
    requires(readNeeds(text), () => playTranscript(text))
  })
}
