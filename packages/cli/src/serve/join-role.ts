/** `openmaas agent join URL` and `openmaas node join URL`: the one line on a new machine. */
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import path from 'node:path'
import { MaasError } from '@openmaas/kernel/errors'
import { fsError } from '@openmaas/kernel/fs-errors'
import { readVersion } from '../commands/version.ts'
import type { Input } from '../program/input.ts'
import type { Site } from '../program/site.ts'
import { loadSettings } from './load-settings.ts'

/** @throws MaasError USAGE, JOIN_*, SERVER_NOT_TRUSTED, HOST_CLOCK_WRONG, FS_* */
export async function joinAs(kind: 'agent' | 'node', input: Input, site: Site): Promise<void> {
  const { config } = loadSettings(kind, input, site)
  const token = readToken(input, site)
  const fingerprint = required(input, 'fingerprint')
  const { join } = await import('@openmaas/agent/session/join')
  const identity = await join({
    url: input.positionals[0]!,
    token,
    fingerprint,
    name: input.text('name') ?? hostname(),
    kind,
    software: readVersion(),
    directory: path.join(config.data, kind),
    clock: site.clock,
  })
  const { out, text } = site
  const { hostId, name, serverUrl } = identity
  if (out.json) out.value({ hostId, name, server: serverUrl, data: config.data })
  else if (out.isTerminal) {
    out.say(text('join.done', { name, server: serverUrl }))
    out.say(text('join.next', { kind }))
  } else out.line(hostId)
}

/** On the command line it is seen by others; it is good once, and for an hour. */
function readToken(input: Input, { directory }: Site): string {
  const file = input.text('token-file')
  if (file === undefined) return required(input, 'token')
  const at = path.resolve(directory, file)
  try {
    return readFileSync(at, 'utf8').trim()
  } catch (error) {
    throw fsError((error as NodeJS.ErrnoException).code ?? 'EIO', 'read', at, error)
  }
}

function required(input: Input, option: string): string {
  const value = input.text(option)
  if (value !== undefined) return value
  const message = `join wants --${option}; the server shows the whole line`
  throw new MaasError('USAGE', message, { option })
}
