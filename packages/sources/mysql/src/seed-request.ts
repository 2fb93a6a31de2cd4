/** What a copy of production is made with. */
import type { DatabaseParams } from '@openmaas/protocols/channel/database-orders'
import type { VolumeLayout } from '@openmaas/source-kit/layout'
import type { OsUser } from '@openmaas/source-kit/os-user'
import type { PluginContext } from '@openmaas/source-kit/plugin'
import type { Production } from './production.ts'
import type { Programs } from './programs.ts'
import type { VolumeState } from './state.ts'

export interface SeedRequest {
  readonly params: DatabaseParams<'database.seed'>
  readonly layout: VolumeLayout
  readonly programs: Programs
  readonly production: Production
  readonly user: OsUser | null
  readonly state: VolumeState
  readonly context: PluginContext
}
