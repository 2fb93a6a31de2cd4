/**
 * Who holds a mount or a disk: what /proc says of every process that may be looked at. Links are
 * read and never followed, so that a file system which hangs makes nobody wait here.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import path from 'node:path'
import { MaasError } from '@openmaas/kernel/errors'
import { listMounts } from '../attach/fuse-mount.ts'

/** More names are no more help. */
const USERS_MAX = 5
/** A host of 2,000 processes with 50 files each: some hundred milliseconds. */
const LINKS_MAX = 100_000

export interface MountUser {
  readonly pid: number
  /** The name of its program, as the kernel has it: 15 characters, and no argument. */
  readonly command: string
}

/** For somebody who wants the path for himself: the error says who is in the way. */
export function mediumBusy(target: string): MaasError {
  const users = listUsers(target)
  const below = listMounts().find((entry) => entry.target.startsWith(`${target}/`))
  const names = users.map(({ pid, command }) => `${command} (pid ${pid})`)
  if (below !== undefined) names.push(`the mount at ${below.target}`)
  const details = { path: target, users: users.map((user) => `${user.pid} ${user.command}`) }
  // In another mount namespace, or in the kernel itself, such as an export by NFS.
  const who = names.length === 0 ? 'a program that cannot be seen from here' : names.join(', ')
  return new MaasError('MEDIUM_BUSY', `${target} is used by ${who}`, details)
}

/** Processes with their directory, root, program or an open or mapped file at or below the path. */
export function listUsers(target: string, proc = '/proc'): MountUser[] {
  const users: MountUser[] = []
  let links = 0
  for (const name of readdirSync(proc)) {
    if (users.length >= USERS_MAX || links >= LINKS_MAX) break
    const pid = Number(name)
    if (!Number.isInteger(pid)) continue
    const directory = path.join(proc, name)
    for (const link of linksOf(directory)) {
      links += 1
      if (!isWithin(readLink(link), target)) continue
      users.push({ pid, command: commandOf(directory) })
      break
    }
  }
  return users
}

function* linksOf(directory: string): Generator<string> {
  for (const name of ['cwd', 'root', 'exe']) yield path.join(directory, name)
  for (const kind of ['fd', 'map_files']) {
    for (const name of entriesOf(path.join(directory, kind))) yield path.join(directory, kind, name)
  }
}

/** Of a process that has ended, or is somebody else's, nothing. */
function entriesOf(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}

function readLink(link: string): string {
  try {
    return readlinkSync(link)
  } catch {
    return ''
  }
}

function isWithin(file: string, target: string): boolean {
  // What was deleted while it is open holds the file system as well.
  return file === target || file.startsWith(`${target}/`)
}

function commandOf(directory: string): string {
  try {
    return readFileSync(path.join(directory, 'comm'), 'utf8').trim()
  } catch {
    return '?'
  }
}
