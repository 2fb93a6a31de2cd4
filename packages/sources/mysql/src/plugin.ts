/** The plug-in `mysql`: MariaDB and MySQL as standbys on volumes and as instances on clones. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { DatabaseParams, DatabaseResult } from '@openmaas/protocols/channel/database-orders'
import { removeRun } from '@openmaas/source-kit/layout'
import type { SourcePlugin } from '@openmaas/source-kit/plugin'
import { activate } from './activate.ts'
import { check } from './check.ts'
import { discover } from './discover.ts'
import { follow, unfollow } from './follow.ts'
import { boundLog, mark } from './mark.ts'
import { stopPrivate } from './private-server.ts'
import { listPrograms } from './programs.ts'
import { seed } from './seed.ts'
import { status } from './status.ts'
import { verify } from './verify.ts'
import { productTitle } from './version.ts'
import { layoutOf } from './volume.ts'
import type { PluginOptions } from './volume.ts'

export function makeMysqlPlugin(given: Partial<PluginOptions> = {}): SourcePlugin {
  const options: PluginOptions = { programDirectories: [], ...given }
  return {
    engine: 'mysql',
    title: 'MySQL and MariaDB',
    programs: async () => {
      const found = await listPrograms(options.programDirectories)
      return found.map(({ version }) => `${productTitle(version.product)} ${version.number}`)
    },
    discover: (_, context) => discover(context),
    check: (params) => check(params, options),
    seed: (params, context) => seed(params, context, options),
    follow: (params, context) => follow(params, context, options),
    boundLog: (place) => boundLog(place, options),
    status: (params) => status(params, options),
    mark: (params, context) => mark(params, context, options),
    unfollow: (params) => unfollow(params, options),
    activate: (params, context) => activate(params, context, options),
    deactivate: (params) => deactivate(params, options),
    verify: (params, context) => verify(params, context, options),
  }
}

async function deactivate(
  params: DatabaseParams<'database.deactivate'>,
  options: PluginOptions,
): Promise<DatabaseResult<'database.deactivate'>> {
  const layout = layoutOf(params, options)
  const stopped = await stopPrivate(layout, params)
  rmSync(join(layout.run, 'activation.json'), { force: true })
  removeRun(layout)
  return { stopped }
}
