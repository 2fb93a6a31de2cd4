/** The plug-ins that come with the agent. */
import { makeMysqlPlugin } from '@openmaas/source-mysql/plugin'
import { makePostgresPlugin } from '@openmaas/source-postgres/plugin'
import { DatabasePlugins } from './plugins.ts'

export function makeBuiltInPlugins(): DatabasePlugins {
  return new DatabasePlugins([makePostgresPlugin(), makeMysqlPlugin()])
}
