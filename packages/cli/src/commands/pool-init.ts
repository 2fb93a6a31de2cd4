/** `openmaas pool init <dir…>` */
import path from 'node:path'
import { MaasError } from '@openmaas/kernel/errors'
import { NodeFs } from '@openmaas/kernel/node-fs'
import { systemRandom } from '@openmaas/kernel/random'
import { readNewPassphrase } from '../pool/passphrase.ts'
import type { Input } from '../program/input.ts'
import type { Site } from '../program/site.ts'

type Redundancy = 'single' | `mirror:${number}`

export async function run(input: Input, site: Site): Promise<void> {
  const bricks = input.positionals.map((brick) => path.resolve(site.directory, brick))
  const redundancy = parseRedundancy(input.text('redundancy') ?? 'single', bricks.length)
  const fs = new NodeFs()
  // Before the passphrase is asked for. Pool.create checks all of it: a superblock on a later
  // brick alone may be the remains of an init that was killed.
  const first = bricks[0]!
  if (fs.stat(path.join(first, 'pool.json')) !== undefined) {
    throw new MaasError('POOL_EXISTS', `there is a pool at ${first} already`, { path: first })
  }
  const passphrase = await readNewPassphrase(site, site.settings.get('passphrase_file'))
  const { Pool } = await import('@openmaas/pool/pool/pool')
  const { clock } = site
  const { poolId } = await Pool.create({
    bricks,
    redundancy,
    passphrase,
    fs,
    clock,
    random: systemRandom,
  })
  const { out, text } = site
  if (out.json) out.value({ poolId, bricks, redundancy })
  else if (out.isTerminal) {
    out.say(text('pool-init.done', { path: bricks[0]! }))
    out.say(text('pool-init.next', { path: bricks[0]! }))
  } else out.line(bricks[0]!)
}

/** @throws MaasError USAGE when there are not enough directories for that many copies */
function parseRedundancy(wish: string, brickCount: number): Redundancy {
  if (wish === 'single') return 'single'
  const copies = Number(/^mirror:(\d{1,3})$/.exec(wish)?.[1] ?? Number.NaN)
  if (!(copies >= 2)) {
    const message = `--redundancy wants single or mirror:n with n from 2, not "${wish}"`
    throw new MaasError('USAGE', message, { option: 'redundancy' })
  }
  if (copies > brickCount) {
    const message = `mirror:${copies} needs at least ${copies} directories, not ${brickCount}`
    throw new MaasError('USAGE', message, { option: 'redundancy' })
  }
  return `mirror:${copies}`
}
