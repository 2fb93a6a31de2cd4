/** openmaas.json: what the plug-in must know again tomorrow. Replaced whole, durable, 0600. */
import { z } from 'zod'
import { MaasError } from '@openmaas/kernel/errors'
import { readPrivateFile, writePrivateFile } from '@openmaas/kernel/private-file'

/** The state of a plug-in is a few hundred bytes and a list of points. */
const STATE_SIZE_MAX = 4 * 1024 * 1024

/**
 * @returns null when there is none: the volume is new
 * @throws MaasError DATABASE_STATE_INVALID when it is not what `schema` describes
 */
export function readState<S extends z.ZodType>(path: string, schema: S): z.output<S> | null {
  const text = readPrivateFile(path)
  if (text === undefined) return null
  const result = text.length > STATE_SIZE_MAX ? undefined : schema.safeParse(parse(text))
  if (result?.success === true) return result.data
  const message = 'the state file of the database on the volume cannot be read'
  const reason = result === undefined ? 'too large' : z.prettifyError(result.error)
  throw new MaasError('DATABASE_STATE_INVALID', message, { path, reason })
}

export function writeState(path: string, state: object): void {
  writePrivateFile(path, `${JSON.stringify(state, null, 2)}\n`)
}

/** Undefined is no state: the schema says so in its error. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
