/** What every order begins with: the volume, what stands on it, and the programs for that. */
import { volumeLayout } from '@openmaas/source-kit/layout'
import type { VolumeLayout } from '@openmaas/source-kit/layout'
import { serverUser } from '@openmaas/source-kit/os-user'
import type { Dialect } from './dialect.ts'
import { MARIADB } from './dialect-mariadb.ts'
import { MYSQL } from './dialect-mysql.ts'
import type { PrivateServer } from './private-server.ts'
import { findPrograms } from './programs.ts'
import type { ServerIdentity } from './server-options.ts'
import { loadSeeded } from './state.ts'
import type { VolumeState } from './state.ts'
import { parseVersion } from './version.ts'
import type { Product } from './version.ts'

export interface PluginOptions {
  /** Looked into before PATH and the system's own. */
  readonly programDirectories: readonly string[]
  /** Where sockets and records stand; default: of the host. */
  readonly runRoot?: string
}

export interface Place {
  readonly id: string
  readonly directory: string
}

export interface Volume extends PrivateServer {
  readonly id: string
  readonly state: VolumeState
  readonly dialect: Dialect
  readonly identity: ServerIdentity
}

export function dialectOf(product: Product): Dialect {
  return product === 'mariadb' ? MARIADB : MYSQL
}

export function layoutOf({ directory, id }: Place, options: PluginOptions): VolumeLayout {
  const { runRoot } = options
  return volumeLayout(directory, id, runRoot === undefined ? {} : { runRoot })
}

/** @throws MaasError DATABASE_NOT_SEEDED, DATABASE_VERSION_UNSUPPORTED, MISSING_PROGRAM */
export async function openVolume(place: Place, options: PluginOptions): Promise<Volume> {
  const layout = layoutOf(place, options)
  const state = loadSeeded(layout)
  // As text without its name, a version is MySQL's.
  const named = state.product === 'mariadb' ? `${state.version}-MariaDB` : state.version
  const programs = await findPrograms(parseVersion(named), options.programDirectories)
  const { id } = place
  return {
    id,
    layout,
    state,
    programs,
    user: serverUser('mysql'),
    dialect: dialectOf(state.product),
    identity: { layout, programs, id, carried: state.settings },
  }
}
