/** The physical copy of production, once: by mariadb-backup, or by MySQL's clone plugin. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { DatabaseParams, DatabaseResult } from '@openmaas/protocols/channel/database-orders'
import { directorySize, reportGrowth } from '@openmaas/source-kit/growing-directory'
import { makeLayout } from '@openmaas/source-kit/layout'
import type { VolumeLayout } from '@openmaas/source-kit/layout'
import { serverUser } from '@openmaas/source-kit/os-user'
import type { PluginContext } from '@openmaas/source-kit/plugin'
import { isRunning, stopPrivate } from './private-server.ts'
import { carriedSettings, openProduction } from './production.ts'
import { findPrograms } from './programs.ts'
import { copyMariadb } from './seed-backup.ts'
import { CLONE_FOLDER, cloneMysql } from './seed-clone.ts'
import { loadState, saveState } from './state.ts'
import type { VolumeState } from './state.ts'
import { dataSize } from './tables.ts'
import { dialectOf, layoutOf } from './volume.ts'
import type { PluginOptions } from './volume.ts'

type Params = DatabaseParams<'database.seed'>
type Result = DatabaseResult<'database.seed'>

export async function seed(
  params: Params,
  context: PluginContext,
  options: PluginOptions,
): Promise<Result> {
  const layout = layoutOf(params, options)
  const before = loadState(layout)
  const { renew = null } = params
  const isWanted = renew === null || before?.seedRequest === renew
  if (before?.seeded === true && isWanted) return answer(layout, before)
  const production = await openProduction(params.connection)
  await using session = production.session
  const { version } = production
  const programs = await findPrograms(version, options.programDirectories)
  const user = serverUser('mysql')
  // What an interrupted copy left is no copy, and its server has nothing worth stopping for.
  if (isRunning(layout)) await stopPrivate(layout, { immediate: true })
  const cloning = join(layout.directory, CLONE_FOLDER)
  for (const path of [layout.data, layout.log, cloning])
    rmSync(path, { recursive: true, force: true })
  makeLayout(layout, user)
  const state: VolumeState = {
    engine: 'mysql',
    product: version.product,
    version: version.number,
    identity: await dialectOf(version.product).identity(session),
    role: 'standby',
    seeded: false,
    seedPosition: '',
    positioned: false,
    recoveredTo: null,
    settings: await carriedSettings(session),
    retainedLimitBytes: null,
    synchronous: false,
    logCutAtMs: null,
    seedRequest: renew,
    marks: [],
  }
  saveState(layout, state)
  const request = { params, layout, programs, production, user, state, context }
  const growth = {
    directory: version.product === 'mariadb' ? layout.data : cloning,
    phase: 'copy',
    bytesTotal: await dataSize(session),
  }
  const seedPosition = await reportGrowth(growth, context, () =>
    version.product === 'mariadb' ? copyMariadb(request) : cloneMysql(request),
  )
  const seeded = { ...state, seeded: true, seedPosition }
  saveState(layout, seeded)
  return answer(layout, seeded)
}

async function answer(layout: VolumeLayout, state: VolumeState): Promise<Result> {
  return {
    version: state.version,
    sizeBytes: await directorySize(layout.data),
    position: { position: state.seedPosition, detail: '' },
  }
}
