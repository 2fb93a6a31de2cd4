/**
 * What is attached here from other nodes, one directory each:
 *
 *   <agent data>/attached/<mediumId>/
 *     attached.json   this record, replaced atomically, before anything is attached
 *     engine.json     written by the serving process, as by the engine of a medium
 *     engine.log      what it says
 *     node            what the node's certificate calls it, once it has been reached
 *
 * The secrets (key, certificate, ticket) are in none of them: the process gets them by a memfd, and
 * a renewed certificate from the agent's identity.
 */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { MaasError } from '@openmaas/kernel/errors'
import { makeDirectories } from '@openmaas/kernel/make-directories'
import { writePrivateFile } from '@openmaas/kernel/private-file'
import { z } from 'zod'

const recordSchema = z.object({
  version: z.literal(1),
  mediumId: z.string().regex(/^\w{1,64}$/),
  /** host:port of the node's NBD port, and what is asked for there. */
  address: z.string(),
  exportName: z.string(),
  readOnly: z.boolean(),
  bootId: z.string(),
  runtimeDirectory: z.string(),
  fuseMount: z.string(),
  keeperPid: z.number().optional(),
  device: z.string().optional(),
  mountPath: z.string().nullable(),
  /** A file system is being made on a disk that was blank. */
  formatting: z.boolean().optional(),
  state: z.enum(['attaching', 'attached', 'detaching']),
})
export type RemoteRecord = z.infer<typeof recordSchema>

export const attachedDirectory = (data: string): string => path.join(data, 'attached')

/** @throws MaasError USAGE: the id becomes a name of a directory */
export function directoryOf(data: string, mediumId: string): string {
  if (/^\w{1,64}$/.test(mediumId)) return path.join(attachedDirectory(data), mediumId)
  throw new MaasError('USAGE', `"${mediumId}" is no medium id`, { id: mediumId })
}

export function saveRemote(data: string, record: RemoteRecord): void {
  const directory = directoryOf(data, record.mediumId)
  makeDirectories(directory, 0o700)
  writePrivateFile(path.join(directory, 'attached.json'), JSON.stringify(record))
}

/** @returns undefined when there is none. @throws MaasError OVERLAY_INVALID when it is damaged */
export function loadRemote(directory: string): RemoteRecord | undefined {
  const file = path.join(directory, 'attached.json')
  if (!existsSync(file)) return undefined
  try {
    return recordSchema.parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch (cause) {
    const message = 'the record of an attached medium is damaged'
    throw new MaasError('OVERLAY_INVALID', message, { path: file }, { cause })
  }
}

export function listRemote(data: string): RemoteRecord[] {
  const directory = attachedDirectory(data)
  if (!existsSync(directory)) return []
  return readdirSync(directory)
    .toSorted()
    .flatMap((name) => loadRemote(path.join(directory, name)) ?? [])
}

export function removeRemote(data: string, mediumId: string): void {
  rmSync(directoryOf(data, mediumId), { recursive: true, force: true })
}
