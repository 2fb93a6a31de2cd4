/** `openmaas --version` */
import { readFileSync } from 'node:fs'
import type { Site } from '../program/site.ts'

/** The package's own manifest is the one place where the version stands. */
export function readVersion(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}

export function runVersion({ out }: Site): number {
  const version = readVersion()
  if (out.json) out.value({ version, node: process.versions.node })
  else out.line(`openmaas ${version}`)
  return 0
}
