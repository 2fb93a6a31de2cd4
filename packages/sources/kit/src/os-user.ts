/** The user of the operating system that a server runs as: servers refuse to be root. */
import process from 'node:process'
import { MaasError } from '@openmaas/kernel/errors'
import { groupId, userId } from '@openmaas/kernel/posix/identity'

export interface OsUser {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

/**
 * @param name  `postgres`, `mysql`; its group has the same name
 * @returns null when this process is not root: then servers run as whoever runs it
 * @throws MaasError MISSING_PROGRAM when there is no such user: the engine is not installed
 */
export function serverUser(name: string): OsUser | null {
  if (process.getuid?.() !== 0) return null
  const uid = userId(name)
  const gid = groupId(name)
  if (uid !== undefined && gid !== undefined) return { name, uid, gid }
  const message = `there is no user "${name}" on this host, as whom the server would run`
  throw new MaasError('MISSING_PROGRAM', message, { user: name })
}
