/**
 * The kernel's nbd as a medium's disk. This machine's kernel may not have it, so the whole product
 * runs in an emulated guest with Debian's kernel, which has.
 */
import { execFileSync } from 'node:child_process'
import { globSync, mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { missing, requires } from '@openmaas/testkit/requires'
import { expect, test } from 'vitest'
import { OPENMAAS } from '../support/command-line.ts'
import { Site } from '../support/site.ts'
import { GUEST_TIMEOUT_MS, runGuest } from './machine.ts'
import { fetchParts } from './parts.ts'

const PROGRAMS = ['qemu-system-x86_64', 'mkfs.ext4', 'e2fsck', 'apt-get', 'dpkg-deb', 'ldd']
const SCENARIO = fileURLToPath(new URL('kernel-nbd.sh', import.meta.url))

/** One cache for all: Node's own would be useless in the engine otherwise, and the guest slow. */
const OPENMAAS_SOURCE_OPTIONS = 'none'
process.env['OPENMAAS_SOURCE_OPTIONS'] = OPENMAAS_SOURCE_OPTIONS

const needs = { programs: PROGRAMS, linux: true, root: true }
const parts = missing(needs).length > 0 || process.arch !== 'x64' ? 'x64' : fetchParts()
const absent = typeof parts === 'string' ? { paths: [`guest part ${parts}`] } : {}

requires({ ...needs, ...absent }, () => {
  test(
    'a medium on the kernel’s nbd carries on over kills of its engine, and leaves nothing',
    async () => {
      if (typeof parts === 'string') throw new Error('the parts are there')
      await using site = await Site.make()
      const source = site.folder('source')
      writeFileSync(path.join(source, 'large'), Buffer.alloc(3_000_000, 'large and of one kind'))
      // Some hundred files: emulated, each megabyte that is checked takes seconds.
      execFileSync('cp', ['-r', path.join(import.meta.dirname, '../../packages/pool'), source])
      await site.cli.backup(source)
      // Every module that the guest uses is in the compile cache then.
      const { id } = await site.cli.plug('latest', '--nbd', '--no-attach')
      await site.cli.json(['eject', id])
      const listed = globSync('**', { cwd: source, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => path.relative(source, path.join(entry.parentPath, entry.name)))
      const extra = site.folder('guest')
      const sums = execFileSync('sha256sum', listed, { cwd: source })
      writeFileSync(path.join(extra, 'sums'), sums)
      writeFileSync(
        path.join(extra, 'environment'),
        Object.entries({ ...site.cli.environment, OPENMAAS, OPENMAAS_SOURCE_OPTIONS })
          .map(([name, value]) => `export ${name}=${value}\n`)
          .join(''),
      )
      const directory = site.folder('machine')
      mkdirSync(path.join(directory, 'root'))
      execFileSync('cp', ['-r', extra, path.join(directory, 'root/guest')])
      const output = await runGuest({
        parts,
        modules: ['nbd'],
        scenario: SCENARIO,
        programs: ['e2fsck'],
        folders: [site.pool, site.passphraseFile, site.join('compile-cache')],
        directory,
      })
      expect(output, output).toContain('guest: status 0')
      expect(output.match(/^ok: .*/gm)).toEqual([
        'ok: plugged as /dev/nbd0',
        'ok: files are the same',
        expect.stringMatching(/^ok: killed engine \d+$/),
        'ok: unanswered requests were sent again',
        'ok: 6 fsynced files are there after a kill',
        'ok: e2fsck is clean',
        expect.stringMatching(
          /^ok: resumed as \/dev\/nbd\d+ after engine and keeper were killed at once$/,
        ),
        'ok: ejected without a trace',
      ])
    },
    GUEST_TIMEOUT_MS + 60_000,
  )
})
