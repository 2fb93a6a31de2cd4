/** The plug-ins that come with the agent. */
import process from 'node:process'
import { makeMysqlPlugin } from '@openmaas/source-mysql/plugin'
import { makePostgresPlugin } from '@openmaas/source-postgres/plugin'
import { programFolders } from '@openmaas/source-postgres/programs'
import { DatabasePlugins } from './plugins.ts'

/** OPENMAAS_POSTGRES_BIN_<major> names programs that are not where Debian keeps them. */
export function makeBuiltInPlugins(): DatabasePlugins {
  const programs = programFolders(process.env)
  return new DatabasePlugins([makePostgresPlugin({ programs }), makeMysqlPlugin()])
}
