/** `openmaas config check`: whether a role would start with its settings. */
import type { Input } from '../program/input.ts'
import type { Site } from '../program/site.ts'
import { loadSettings } from '../serve/load-settings.ts'
import { readRole } from '../serve/show-settings.ts'

export async function run(input: Input, site: Site): Promise<void> {
  const { out, text } = site
  const role = readRole(input)
  const { files } = loadSettings(role, input, site)
  if (out.json) out.value({ role, files, valid: true })
  else if (files.length === 0) out.note(text('config.defaults', { role }))
  else for (const file of files) out.line(file)
}
