/** `openmaas config print`: the settings of a role, as YAML. */
import { stringify } from 'yaml'
import type { Input } from '../program/input.ts'
import type { Site } from '../program/site.ts'
import { loadSettings } from '../serve/load-settings.ts'
import { readRole, showSettings } from '../serve/show-settings.ts'

export async function run(input: Input, site: Site): Promise<void> {
  const role = readRole(input)
  const { config } = loadSettings(role, input, site)
  const shown = showSettings(role, config, {
    effective: input.has('effective'),
    redact: input.has('redact'),
  })
  if (site.out.json) site.out.value(shown)
  else site.out.line(stringify(shown).trimEnd())
}
