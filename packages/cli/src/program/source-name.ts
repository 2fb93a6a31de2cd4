/** Names of sources: one short line, since tables for scripts are separated by tabs and lines. */
import path from 'node:path'
import { MaasError } from '@openmaas/kernel/errors'
import type { Input } from './input.ts'

/** As the name of a file. */
const NAME_MAX = 255

/** @returns what --name says. @throws MaasError USAGE */
export function givenName(input: Input): string | undefined {
  const name = input.text('name')
  if (name === undefined || (name.length <= NAME_MAX && !/\p{Cc}/u.test(name))) return name
  const message = `--name wants at most ${NAME_MAX} characters, on one line`
  throw new MaasError('USAGE', message, { option: 'name' })
}

/** The last part of the path; the root directory has none. */
export function defaultName(source: string): string {
  return path.basename(source).replaceAll(/\p{Cc}/gu, '_') || 'root'
}
