/**
 * What lies where on the volume of a database (decision 0012), and where what must not be on it
 * stands: sockets, records of processes, passwords.
 *
 *   <volume>/data/          the data directory, native      owned by the server's user, 0700
 *   <volume>/log/           archived WAL or binlogs          owned by the server's user, 0700
 *   <volume>/openmaas.json  state of the plug-in             owned by the agent, 0600
 *
 *   <run>/<id>/             pid records, passwords           owned by the server's user, 0700,
 *                                                            or the agent's, its group reads
 *   <run>/<id>/socket/      in that case: the socket         owned by the server's user, 0700
 *
 * A clone of the volume is another database: a record of a process on the volume would name the
 * server of the original. So <run> is on the host, and gone after a boot as the processes are.
 */
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fsError } from '@openmaas/kernel/fs-errors'
import type { OsUser } from './os-user.ts'

const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = constants

export interface VolumeLayout {
  readonly directory: string
  readonly data: string
  readonly log: string
  readonly state: string
  /** Below `run` of the host; short, since a socket's path has at most 107 bytes. */
  readonly run: string
}

export interface RunRoot {
  /** Of the host; `/run/openmaas-db` for root: others may pass through it, not so /run/openmaas. */
  readonly runRoot?: string
}

export function volumeLayout(directory: string, id: string, options: RunRoot = {}): VolumeLayout {
  return {
    directory,
    data: join(directory, 'data'),
    log: join(directory, 'log'),
    state: join(directory, 'openmaas.json'),
    run: join(runRootOf(options), id),
  }
}

/** Of engines whose <run>/<id> belongs to the agent: the only part that the server writes to. */
export function socketDirectory(layout: VolumeLayout): string {
  return join(layout.run, 'socket')
}

export function runRootOf({ runRoot }: RunRoot): string {
  if (runRoot !== undefined) return runRoot
  const uid = process.getuid?.() ?? 0
  return uid === 0 ? '/run/openmaas-db' : join(tmpdir(), `openmaas-${uid}`, 'db')
}

/**
 * Makes the directories that are missing, and all that is in them the user's. The volume's root
 * becomes passable for it.
 *
 * @param runOwner  whose <run>/<id> is: the agent's, when the engine writes only to `socket/`
 *   there. Then nothing that runs as the server's user can change what the agent reads from it.
 */
export function makeLayout(
  layout: VolumeLayout,
  user: OsUser | null,
  runOwner: 'agent' | 'server' = 'server',
): void {
  try {
    mkdirSync(join(layout.run, '..'), { recursive: true, mode: 0o755 })
    // The server's user must reach data/, and nobody else needs to.
    if (user !== null) chownSync(layout.directory, 0, user.gid)
    chmodSync(layout.directory, user === null ? 0o700 : 0o750)
    const theirs = [layout.data, layout.log]
    if (runOwner === 'agent') {
      ownWithMode(layout.run, user === null ? null : { uid: 0, gid: user.gid }, 0o750)
      theirs.push(socketDirectory(layout))
    } else {
      theirs.push(layout.run)
    }
    for (const path of theirs) {
      if (existsSync(path)) ownTree(path, user)
      ownDirectory(path, user)
    }
  } catch (error) {
    const cause = error as NodeJS.ErrnoException
    throw fsError(cause.code ?? 'EIO', cause.syscall ?? 'mkdir', cause.path, cause)
  }
}

/**
 * 0700, as servers demand of their directories. A link that lies there is not followed: whoever
 * laid it would be given what it points at.
 *
 * @throws MaasError FS_* when something else than a directory is there
 */
export function ownDirectory(path: string, user: OsUser | null): void {
  ownWithMode(path, user, 0o700)
}

function ownWithMode(path: string, owner: Pick<OsUser, 'uid' | 'gid'> | null, mode: number): void {
  try {
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) mkdirSync(path, { mode: 0o700 })
    const directory = openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
    try {
      if (owner !== null) fchownSync(directory, owner.uid, owner.gid)
      fchmodSync(directory, mode)
    } finally {
      closeSync(directory)
    }
  } catch (error) {
    const cause = error as NodeJS.ErrnoException
    throw fsError(cause.code ?? 'EIO', cause.syscall ?? 'mkdir', path, cause)
  }
}

/**
 * Makes everything below the user's. A volume that was written on another host has the numbers
 * of users there: the same name may have another one here.
 *
 * Cost: a look at the directory itself when it is the user's already, else one per file.
 */
export function ownTree(path: string, user: OsUser | null): void {
  if (user === null || lstatSync(path).uid === user.uid) return
  if (lstatSync(path).isDirectory()) {
    for (const name of readdirSync(path)) ownTree(join(path, name), user)
  }
  // Last: one that was interrupted is gone through again.
  lchownSync(path, user.uid, user.gid)
}

/** What was renamed, linked or removed in it is durable. */
export function syncDirectory(path: string): void {
  const directory = openSync(path, 'r')
  try {
    fsyncSync(directory)
  } finally {
    closeSync(directory)
  }
}

/** After the last process has ended: nothing of the database stays on the host. */
export function removeRun(layout: VolumeLayout): void {
  rmSync(layout.run, { recursive: true, force: true })
}
