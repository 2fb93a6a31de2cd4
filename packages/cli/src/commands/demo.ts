/** `openmaas demo`: the whole idea on sample files, in one temporary directory. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { systemRandom } from '@openmaas/kernel/random'
import { formatDuration } from '@openmaas/kernel/units'
import { DemoStory } from '../demo/story.ts'
import type { Input } from '../program/input.ts'
import type { Site } from '../program/site.ts'

export async function run(input: Input, site: Site): Promise<void> {
  const { out, text, clock } = site
  const begin = clock.monotonicMs()
  const directory = mkdtempSync(path.join(tmpdir(), 'openmaas-demo-'))
  const paths = {
    files: path.join(directory, 'office'),
    pool: path.join(directory, 'pool'),
    passphraseFile: path.join(directory, 'passphrase'),
  }
  const story = new DemoStory(site, paths)
  try {
    mkdirSync(paths.files)
    const passphrase = systemRandom.bytes(16).toString('hex')
    writeFileSync(paths.passphraseFile, `${passphrase}\n`, { mode: 0o600 })
    if (!out.json) out.line(text('demo.intro', { path: directory }))
    const figures = await story.run()
    const elapsedMs = clock.monotonicMs() - begin
    if (out.json) out.value({ ...figures, elapsedMs: Math.round(elapsedMs) })
    else sayGoodbye(elapsedMs, site)
  } finally {
    await story.cleanUp()
    if (!input.has('keep')) rmSync(directory, { recursive: true, force: true })
    else if (!out.json) {
      out.line('')
      out.line(text('demo.kept', { path: directory }))
      out.line(`  export OPENMAAS_POOL=${paths.pool}`)
      out.line(`  export OPENMAAS_PASSPHRASE_FILE=${paths.passphraseFile}`)
      out.line('  openmaas points')
    }
  }
}

function sayGoodbye(elapsedMs: number, { out, text }: Site): void {
  out.line('')
  out.line(out.paint('bold', text('demo.done', { time: formatDuration(elapsedMs) })))
  out.line(text('demo.next'))
  for (const line of [
    'openmaas pool init /backup/pool',
    'export OPENMAAS_POOL=/backup/pool',
    'openmaas backup /home',
    'openmaas points',
    'openmaas plug latest',
    'openmaas --help',
  ]) {
    out.line(`  ${line}`)
  }
}
