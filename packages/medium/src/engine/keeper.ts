/**
 * Starts the engine of a medium under a keeper: a shell loop of a few hundred kilobytes that
 * holds the descriptors the disk lives on, and starts the engine again whenever it dies.
 *
 *   fd 3  /dev/fuse, the connection of the mount: it survives the engine
 *   fd 4  a sealed memfd with the pool's master key: it never touches a disk, a command line
 *         or an environment
 *
 * The engine ends with status 0 when the mount is gone or it was told to stop; only then the
 * keeper ends too. Should the keeper die, the engine hands over to a new one (engine/main.ts).
 */
import { spawn } from 'node:child_process'
import { closeSync, openSync, readSync } from 'node:fs'
import process from 'node:process'
import { pwriteAll } from '@openmaas/kernel/posix/files'
import { memfdCreate, sealMemfd } from '@openmaas/kernel/posix/memfd'
import { sourceArguments } from '@openmaas/kernel/source-options'

export const FUSE_FD = 3
export const KEY_FD = 4
const KEY_SIZE = 32

/**
 * A short pause between restarts, since programs wait on the disk. After a hundred engines that
 * lived less than a minute each, a long one: a pool that is away is waited for, without a storm.
 */
const KEEPER_SCRIPT = `quick=0
while began=$(date +%s); ! "$@"; do
  if [ $(($(date +%s) - began)) -ge 60 ]; then quick=0; else quick=$((quick + 1)); fi
  if [ $quick -gt 100 ]; then sleep 10; else sleep 0.3; fi
done`

export interface EngineProcess {
  readonly entry: string
  readonly mediumDirectory: string
  /** Absent for a medium that is exported but not attached here. */
  readonly fuseFd?: number
  readonly keyFd: number
  readonly logPath: string
}

/** @returns the pid of the keeper. */
export function startKeeper(engine: EngineProcess): number {
  const log = openSync(engine.logPath, 'a', 0o600)
  try {
    const options = sourceArguments()
    const command = [process.execPath, ...options, engine.entry, engine.mediumDirectory]
    const child = spawn('/bin/sh', ['-c', KEEPER_SCRIPT, 'openmaas-keeper', ...command], {
      detached: true, // A session of its own: Ctrl-C in the terminal must not pull the disk.
      stdio: ['ignore', log, log, engine.fuseFd ?? 'ignore', engine.keyFd],
      cwd: '/', // So that no file system is kept busy.
    })
    child.unref()
    return child.pid!
  } finally {
    closeSync(log)
  }
}

/** @returns a descriptor from which the key can be read any number of times, at offset 0. */
export function makeKeyDescriptor(masterKey: Buffer): number {
  const fd = memfdCreate('openmaas-key')
  pwriteAll(fd, masterKey, 0)
  sealMemfd(fd)
  return fd
}

export function readKeyDescriptor(fd: number): Buffer {
  const key = Buffer.alloc(KEY_SIZE)
  readSync(fd, key, 0, KEY_SIZE, 0)
  return key
}
