import { globSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { requires } from '@openmaas/testkit/requires'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { compare, parseTranscript, readNeeds, runStep } from './transcript.ts'

const files = globSync(path.join(import.meta.dirname, 'transcripts/*.txt')).toSorted()

for (const file of files) {
  const text = readFileSync(file, 'utf8')
  describe(`transcript ${path.basename(file, '.txt')}`, () => {
    requires(readNeeds(text), () => playTranscript(text))
  })
}

function playTranscript(text: string): void {
  const directory = new TemporaryDirectory()
  writeFileSync(directory.join('passphrase'), 'correct horse\n', { mode: 0o600 })
  afterAll(() => directory.dispose())
  let failed = false
  for (const step of parseTranscript(text)) {
    test(`line ${step.line}: ${step.command.split('\n')[0]}`, ({ skip }) => {
      // Each command builds on those before it.
      skip(failed, 'an earlier line failed')
      const problem = compare(step, runStep(step, directory.path))
      failed = problem !== undefined
      expect(problem ?? '').toBe('')
    })
  }
}
