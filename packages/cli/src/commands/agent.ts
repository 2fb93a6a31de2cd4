/** `openmaas agent`: the agent of this machine, which has joined. Runs until it is told to end. */
import { configureLog } from '@openmaas/kernel/log'
import type { Input } from '../program/input.ts'
import type { Site } from '../program/site.ts'
import { loadSettings } from '../serve/load-settings.ts'
import { runRole } from '../serve/run-role.ts'

export async function run(input: Input, site: Site): Promise<void> {
  const { config } = loadSettings('agent', input, site)
  configureLog({ level: config.logLevel, format: config.logFormat })
  const { startAgent } = await import('../serve/agent-role.ts')
  await runRole(
    () => startAgent(config),
    site,
    ({ describe }) => {
      const { out, text } = site
      if (out.json) out.value(describe)
      else out.note(text('role.ready', { name: describe['name']!, server: describe['server']! }))
      out.flush()
    },
  )
}
