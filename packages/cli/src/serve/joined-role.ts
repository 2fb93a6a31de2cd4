/** `openmaas agent` and `openmaas node`: a role of this machine, which has joined a server. */
import { configureLog } from '@openmaas/kernel/log'
import type { LogOptions } from '@openmaas/kernel/log'
import type { Site } from '../program/site.ts'
import { runRole } from './run-role.ts'
import type { Role } from './run-role.ts'

interface JoinedConfig {
  readonly logLevel: LogOptions['level']
  readonly logFormat: NonNullable<LogOptions['format']>
}

/** Runs until it is told to end. @param load  the role's code, which takes its time to load */
export async function runJoined<C extends JoinedConfig>(
  config: C,
  site: Site,
  load: () => Promise<(config: C) => Promise<Role>>,
): Promise<void> {
  configureLog({ level: config.logLevel, format: config.logFormat })
  const start = await load()
  await runRole(
    () => start(config),
    site,
    ({ describe }) => {
      const { out, text } = site
      if (out.json) out.value(describe)
      else out.note(text('role.ready', { name: describe['name']!, server: describe['server']! }))
      out.flush()
    },
  )
}
