/** The Debian package, built and installed into a root of its own. */
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { globSync } from 'node:fs'
import { basename } from 'node:path'
import { requires } from '@openmaas/testkit/requires'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { attempt, run } from '../support/program.ts'

const BUILD = new URL('../../tools/deb/build-deb.ts', import.meta.url).pathname
const UNITS = globSync(new URL('../../packaging/systemd/*.service', import.meta.url).pathname)

requires({ linux: true, root: true, programs: ['dpkg', 'dpkg-deb'] }, () => {
  describe('the Debian package', () => {
    const directory = new TemporaryDirectory({ inMemory: true })
    const root = directory.join('root')
    let deb = ''

    beforeAll(async () => {
      const { buildDeb } = (await import(BUILD)) as typeof import('../../tools/deb/build-deb.ts')
      deb = buildDeb({ directory: directory.path, level: 1 })
      for (const name of ['info', 'updates', 'triggers']) {
        mkdirSync(`${root}/var/lib/dpkg/${name}`, { recursive: true })
      }
      writeFileSync(`${root}/var/lib/dpkg/status`, '')
      mkdirSync(`${root}/etc`)
      writeFileSync(`${root}/etc/passwd`, 'root:x:0:0:root:/root:/bin/sh\n')
      writeFileSync(`${root}/etc/group`, 'root:x:0:\n')
    })
    afterAll(() => directory.dispose())

    const dpkg = (...args: string[]): Promise<string> => {
      // In a root without a shell, scripts run outside of it and are told where it is.
      const apart = ['--root', root, '--force-script-chrootless', '--force-depends']
      return run(['dpkg', ...apart, ...args])
    }

    test('installs, runs, and makes its user', async () => {
      await dpkg('--install', deb)
      const command = `${root}/usr/bin/openmaas`
      const environment = { OPENMAAS_NODE: '', PATH: '/usr/bin:/bin', HOME: directory.path }
      const version = await run([command, '--version'], { environment })
      expect(version).toMatch(/^openmaas \d+\.\d+\.\d+\n$/)
      const pool = directory.join('pool')
      writeFileSync(directory.join('passphrase'), 'a passphrase of some length')
      const file = ['--passphrase-file', directory.join('passphrase')]
      await run([command, 'pool', 'init', pool, ...file], { environment })
      await run([command, 'backup', `${root}/etc`, '--pool', pool, ...file], { environment })
      expect(readFileSync(`${root}/etc/passwd`, 'utf8')).toContain('\nopenmaas:')
    })

    test('holds no tests and no build tools', async () => {
      const listed = await run(['dpkg-deb', '--contents', deb])
      expect(listed).not.toMatch(/openmaas\/packages\/.*\.test\.ts/)
      expect(listed).not.toMatch(/node_modules\/(vitest|typescript|rolldown|oxlint)\//)
    })

    test('keeps what an administrator has changed, and pools, even when it is purged', async () => {
      writeFileSync(`${root}/etc/openmaas/server.yaml`, 'names: [backup.example.com]\n')
      mkdirSync(`${root}/var/lib/openmaas/pool`, { recursive: true })
      await dpkg('--install', '--force-confold', deb)
      const kept = readFileSync(`${root}/etc/openmaas/server.yaml`, 'utf8')
      expect(kept).toBe('names: [backup.example.com]\n')
      await dpkg('--purge', 'openmaas')
      expect(existsSync(`${root}/etc/openmaas`)).toBe(false)
      expect(existsSync(`${root}/usr/lib/openmaas`)).toBe(false)
      expect(statSync(`${root}/var/lib/openmaas/pool`).isDirectory()).toBe(true)
    })
  })
})

requires(['systemd-analyze'], () => {
  test.each(UNITS.map((path) => [basename(path), path]))('systemd takes %s', async (_, path) => {
    // The command is not installed here, and that is all that it may find wrong.
    const { stdout, stderr } = await attempt(['systemd-analyze', 'verify', path!])
    const complaints = `${stdout}${stderr}`.split('\n').filter((line) => {
      return line.includes('openmaas') && !line.includes('/usr/bin/openmaas is not executable')
    })
    expect(complaints).toEqual([])
  })
})
