/**
 * Goal: fio verifies every block it wrote to a plugged disk while engine and keeper are killed at
 * random under it; and when both are killed at once, everything that fdatasync acknowledged is
 * there after "plug --resume".
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { SeededRandom } from '@openmaas/kernel/random'
import { makeTree } from '@openmaas/testkit/data'
import { requires } from '@openmaas/testkit/requires'
import { waitFor } from '@openmaas/testkit/wait-for'
import type { PlugResult } from '../support/command-line.ts'
import { findLeftovers, findProcesses, kill, processesOf } from '../support/leftovers.ts'
import { attempt, run, start } from '../support/program.ts'
import { Site } from '../support/site.ts'
import { killDisk } from './database-load.ts'

const WRITER = fileURLToPath(new URL('acknowledging-writer.ts', import.meta.url))
/** Fewer would not show that anything was killed while it wrote. */
const KILLS_MIN = 5

let site: Site
let medium: PlugResult

requires(
  { root: true, paths: ['/dev/fuse', '/dev/loop-control'], programs: ['fio', 'e2fsck'] },
  () => {
    beforeEach(async () => {
      site = await Site.make()
      makeTree(site.folder('source'), { files: 200 })
      await site.cli.backup(site.join('source'))
      medium = await site.cli.plug('latest', '--at', site.join('disk'), '--free', '2GiB')
    })
    afterEach(async () => {
      await site[Symbol.asyncDispose]()
      await waitFor('nothing is left', () => findLeftovers([medium.id, site.path]).length === 0)
    })

    test('fio verifies all it wrote while engine or keeper are killed at random', async () => {
      const seed = Number(process.env['OPENMAAS_SEED'] ?? 1)
      const random = new SeededRandom(seed)
      const fio = start([
        'fio',
        '--name=verify',
        `--directory=${medium.mountPoint}`,
        '--size=64m',
        '--rw=randwrite',
        '--bsrange=512-64k',
        '--blockalign=512',
        '--ioengine=psync',
        '--verify=crc32c',
        '--verify_fatal=1',
        '--do_verify=1',
        '--fsync=16',
        '--loops=2',
        `--randseed=${seed}`,
      ])
      const kills = { engine: 0, keeper: 0 }
      let ended = false
      const outcome = fio.ended.finally(() => (ended = true))
      while (!ended) {
        await delay(random.below(120))
        const processes = findProcesses(medium.id)
        if (processes === undefined) continue // It is being started again.
        const role = random.below(3) === 0 ? 'keeper' : 'engine'
        if (kill(processes[role])) kills[role] += 1
        await waitFor('an engine under a keeper again', () => {
          const next = findProcesses(medium.id)
          return ended || (next !== undefined && next[role] !== processes[role])
        })
      }
      expect(await outcome, `seed ${seed}, ${JSON.stringify(kills)}`).toMatchObject({ exitCode: 0 })
      expect(kills.engine + kills.keeper, 'kills').toBeGreaterThanOrEqual(KILLS_MIN)
      await run(['umount', medium.mountPoint])
      await run(['e2fsck', '-fn', medium.device])
    })

    test('what fdatasync acknowledged is there when engine and keeper were killed together', async () => {
      for (let round = 0; round < 3; round += 1) {
        const file = join(medium.mountPoint, `round-${round}`)
        const acknowledged = await writeUntilKilled(file, 60 + round * 40)
        expect(await site.cli.media()).toMatchObject([{ id: medium.id, state: 'interrupted' }])
        medium = await site.cli.json<PlugResult>(['plug', '--resume', medium.id])
        for (let number = 0; number < acknowledged; number += 1) {
          expectRecord(readFileSync(file), number)
        }
      }
      await run(['umount', medium.mountPoint])
      // The journal was replayed by the mount; what remains must be whole.
      await run(['e2fsck', '-fn', medium.device])
      await site.cli.json(['pool', 'fsck', '--data'])
    })

    test('writes stay after eject --keep and --resume, and go with eject', async () => {
      const file = join(medium.mountPoint, 'kept')
      writeFileSync(file, 'written, not synced')
      await site.cli.json(['eject', medium.id, '--keep'])
      expect(processesOf(medium.id)).toEqual([])
      await site.cli.json(['plug', '--resume', medium.id])
      expect(readFileSync(file, 'utf8')).toBe('written, not synced')
      await site.cli.json(['eject', medium.id])
      expect(await site.cli.media()).toEqual([])
      medium = await site.cli.plug('latest', '--at', site.join('disk'))
      expect((await attempt(['test', '-e', file])).exitCode).toBe(1)
    })
  },
)

/** Kills engine and keeper once so many records are acknowledged. @returns how many were */
async function writeUntilKilled(file: string, records: number): Promise<number> {
  const writer: ChildProcess = spawn(process.execPath, [WRITER, file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  writer.stdout!.on('data', (bytes: Buffer) => (output += bytes.toString()))
  const ended = new Promise((resolve) => writer.on('close', resolve))
  const acknowledged = (): number => output.split('\n').length - 1
  await waitFor('enough is acknowledged', () => acknowledged() >= records)
  await killDisk(medium.id)
  await ended
  return acknowledged()
}

function expectRecord(content: Buffer, number: number): void {
  const record = content.subarray(number * 4096, (number + 1) * 4096)
  const expected = Buffer.alloc(4096, number & 0xff)
  expected.writeUInt32LE(number, 0)
  expect(record.equals(expected), `record ${number}`).toBe(true)
}
