/** `openmaas node join <url>` */
import type { Input } from '../program/input.ts'
import type { Site } from '../program/site.ts'
import { joinAs } from '../serve/join-role.ts'

export function run(input: Input, site: Site): Promise<void> {
  return joinAs('node', input, site)
}
