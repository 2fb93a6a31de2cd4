/**
 * The newest restic in Debian's suites, unpacked into a cache directory and installed nowhere.
 * apt does the look-up and checks the signatures, with lists and caches of its own, so that the
 * machine's are not touched.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { say } from '../output.ts'

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'

/** @returns path of the program, or undefined where it cannot be had (no Debian, no network) */
export function findNewestRestic(cache: string): string | undefined {
  const program = join(cache, 'restic', 'usr', 'bin', 'restic')
  if (existsSync(program)) return program
  if (!existsSync(KEYRING)) return undefined
  for (const name of ['lists/partial', 'archives/partial', 'restic']) {
    mkdirSync(join(cache, name), { recursive: true })
  }
  writeFileSync(join(cache, 'status'), '')
  writeFileSync(
    join(cache, 'sources.list'),
    `deb [signed-by=${KEYRING}] http://deb.debian.org/debian sid main\n`,
  )
  const settings = {
    'Dir::Etc::SourceList': join(cache, 'sources.list'),
    'Dir::Etc::SourceParts': '/dev/null',
    'Dir::State::Lists': join(cache, 'lists'),
    'Dir::State::status': join(cache, 'status'),
    'Dir::Cache': cache,
    'APT::Sandbox::User': 'root',
    'Acquire::Languages': 'none',
  }
  const common = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`])
  say('fetching the newest restic of Debian')
  const done =
    run('apt-get', [...common, '-q', 'update'], cache) &&
    run('apt-get', [...common, '-q', 'download', 'restic'], cache)
  const file = readdirSync(cache).find((name) => /^restic_.*\.deb$/.test(name))
  if (!done || file === undefined) return undefined
  return run('dpkg-deb', ['-x', file, 'restic'], cache) ? program : undefined
}

function run(file: string, parameters: readonly string[], directory: string): boolean {
  const child = spawnSync(file, parameters, { cwd: directory, stdio: 'ignore' })
  if (child.status === 0) return true
  say(`${file} ${parameters.at(-1)} failed: the newest restic is left out`)
  return false
}
