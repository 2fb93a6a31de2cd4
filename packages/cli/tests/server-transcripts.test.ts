/** Transcripts against `openmaas serve`, one server for each, on ports that it chooses itself. */
import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { requires } from '@openmaas/testkit/requires'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { Serve, START_TIMEOUT_MS } from './serve.test-support.ts'
import { compare, parseTranscript, readNeeds, runStep } from './transcript.ts'

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
