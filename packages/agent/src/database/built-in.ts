/** The plug-ins that come with the agent, and those of the host's own folder. */
import process from 'node:process'
import { makeMysqlPlugin } from '@openmaas/source-mysql/plugin'
import { makePostgresPlugin } from '@openmaas/source-postgres/plugin'
import { programFolders } from '@openmaas/source-postgres/programs'
import { loadPluginFolder } from './plugin-folder.ts'
import { DatabasePlugins } from './plugins.ts'

/** OPENMAAS_POSTGRES_BIN_<major> names programs that are not where Debian keeps them. */
function makeBuiltInPlugins(): DatabasePlugins {
  const programs = programFolders(process.env)
  return new DatabasePlugins([makePostgresPlugin({ programs }), makeMysqlPlugin()])
}

/**
 * One that is refused keeps no agent from starting: it is in the log, and what the host tells of
 * itself says why.
 *
 * @param folder  the setting `plugins`
 */
export async function openPlugins(folder: string): Promise<DatabasePlugins> {
  const plugins = makeBuiltInPlugins()
  await loadPluginFolder(plugins, folder)
  return plugins
}
