/**
 * A stand-in engine for the attach tests: serves a plain file as the disk, in one thread, from
 * the descriptor its keeper holds. Arguments: backing file. fd 3 is /dev/fuse.
 */
import { fdatasyncSync, fstatSync, openSync, readSync, writeSync } from 'node:fs'
import process from 'node:process'
import type { SyncBlockDevice } from '@openmaas/kernel/block-device'
import { FuseDiskServer } from '@openmaas/protocols/fuse/disk-server'
import { resendUnanswered, serveDescriptor } from '@openmaas/protocols/fuse/serve-descriptor'

const file = openSync(process.argv[2]!, 'r+')
const size = fstatSync(file).size
const device: SyncBlockDevice = {
  size,
  blockSize: 4096,
  readOnly: false,
  read: (offset, target) => void readSync(file, target, 0, target.length, offset),
  write: (offset, source) => void writeSync(file, source, 0, source.length, offset),
  trim: () => undefined,
  writeZeroes: (offset, length) => void writeSync(file, Buffer.alloc(length), 0, length, offset),
  flush: () => fdatasyncSync(file),
  blockStatus: (offset, length) => [{ offset, length, hole: false, zero: false }],
  close: () => undefined,
}
const server = new FuseDiskServer(device, {
  onFailure: (error) => process.stderr.write(`${String(error)}\n`),
})
resendUnanswered(3)
serveDescriptor({ fd: 3, server, shouldStop: () => false })
