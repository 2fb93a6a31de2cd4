/**
 * Goal: files that cannot be read are named and make the run "completed with warnings" with exit
 * code 6; files that change or vanish while they are read never make a run fail or a point that
 * cannot be read; and what stood still is there byte for byte.
 */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  globSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { SeededRandom } from '@openmaas/kernel/random'
import { makeData, makeTree } from '@openmaas/testkit/data'
import { requires } from '@openmaas/testkit/requires'
import { type BackupResult, OPENMAAS } from '../support/command-line.ts'
import { attempt, run } from '../support/program.ts'
import { Site } from '../support/site.ts'

/** Of Debian's nobody and nogroup. */
const NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--']
const EXIT_WARNINGS = 6

let site: Site
beforeEach(async () => {
  site = await Site.make()
})
afterEach(() => site[Symbol.asyncDispose]())

/** A checkout below /root, say, is closed to others. */
function nobodyMayRun(): boolean {
  const env = { ...process.env, HOME: '/', OPENMAAS_NODE: process.execPath }
  const [program, ...args] = [...NOBODY, OPENMAAS, '--version']
  return spawnSync(program!, args, { env, cwd: '/' }).status === 0
}
const OTHERS = nobodyMayRun() ? [] : ['/permission for nobody to run the checkout']

requires({ root: true, programs: ['setpriv', 'chown'], paths: OTHERS }, () => {
  test('what a user may not read is named, the rest is there, and the exit code is 6', async () => {
    const source = site.folder('source')
    makeTree(source, { files: 20 })
    writeFileSync(join(source, 'secret'), 'not for you', { mode: 0o600 })
    mkdirSync(join(source, 'closed'))
    writeFileSync(join(source, 'closed', 'inside'), 'nor this')
    chmodSync(join(source, 'closed'), 0o700)
    await run([
      'chown',
      '-R',
      'nobody:nogroup',
      site.pool,
      site.passphraseFile,
      site.join('compile-cache'),
    ])
    await run(['chmod', '755', site.path])
    const environment = { ...site.cli.environment, HOME: site.path }
    const outcome = await attempt([...NOBODY, OPENMAAS, 'backup', source, '--json'], {
      environment,
    })
    expect(outcome.exitCode, outcome.stderr).toBe(EXIT_WARNINGS)
    const result = JSON.parse(outcome.stdout) as BackupResult
    expect(result).toMatchObject({ status: 'warnings', warningCount: 2 })
    const warnings = JSON.stringify(result.warnings)
    expect(warnings).toContain('secret')
    expect(warnings).toContain('closed')
    await site.cli.json(['restore', result.id, '--to', site.join('restored')])
    const names = globSync('d*/**/*', { cwd: source })
    expect(names.length).toBeGreaterThan(20)
    expect(globSync('d*/**/*', { cwd: site.join('restored') }).toSorted()).toEqual(names.toSorted())
    await site.cli.json(['pool', 'fsck', '--data'])
  })
})

test('files that change, grow, shrink, move and vanish during a backup do not fail it', async () => {
  const source = site.folder('source')
  makeTree(join(source, 'still'), { files: 300 })
  const restless = join(source, 'restless')
  makeTree(restless, { files: 300, seed: 2 })
  writeFileSync(join(restless, 'large'), makeData('random', 20_000_000))
  const random = new SeededRandom(1)
  let [ended, changes] = [false, 0]
  const backup = site.cli.attempt(['backup', source]).finally(() => (ended = true))
  while (!ended) {
    disturb(restless, random)
    changes += 1
    await turn()
  }
  const outcome = await backup
  expect([0, EXIT_WARNINGS], outcome.stderr).toContain(outcome.exitCode)
  expect(changes).toBeGreaterThan(20)
  const { id } = JSON.parse(outcome.stdout) as BackupResult
  await site.cli.json(['restore', id, '--to', site.join('restored')])
  for (const name of globSync('still/**/*.*', { cwd: source })) {
    const restored = readFileSync(join(site.path, 'restored', name))
    expect(restored.equals(readFileSync(join(source, name))), name).toBe(true)
  }
  await site.cli.json(['pool', 'fsck', '--data'])
  // Standing still again, the next point is the source.
  const next = await site.cli.backup(source)
  expect(next.status).toBe('complete')
})

function disturb(directory: string, random: SeededRandom): void {
  const files = globSync('**/f*.*', { cwd: directory })
  const path = join(directory, files[random.below(files.length)]!)
  switch (random.below(5)) {
    case 0:
      rmSync(path)
      break
    case 1:
      renameSync(path, `${path}.moved`)
      break
    case 2:
      writeFileSync(path, makeData('random', random.below(100_000), random.below(1000)))
      break
    case 3:
      writeFileSync(join(directory, 'large'), makeData('text', random.below(3_000_000)))
      break
    default:
      writeFileSync(`${path}.new`, 'new')
  }
}
