/** `openmaas node`: the node of this machine, which has joined. Runs until it is told to end. */
import type { Input } from '../program/input.ts'
import type { Site } from '../program/site.ts'
import { runJoined } from '../serve/joined-role.ts'
import { loadSettings } from '../serve/load-settings.ts'

export async function run(input: Input, site: Site): Promise<void> {
  const { config } = loadSettings('node', input, site)
  await runJoined(config, site, async () => {
    const { startNode } = await import('../serve/node-role.ts')
    return startNode
  })
}
