/** The process that makes one system call which may wait for ever: see mount-process.ts. */
import { statSync, writeSync } from 'node:fs'
import process from 'node:process'
import { errorToMessage } from '@openmaas/kernel/error-message'
import { refreshLoopSize } from '@openmaas/kernel/posix/loop'
import { unmount } from '@openmaas/kernel/posix/mount'
import { mountDisk } from './mount-disk.ts'
import type { MountAnswer, MountRequest } from './mount-process.ts'

const request = JSON.parse(process.argv[2] ?? '') as MountRequest

function act(): MountAnswer {
  try {
    if (request.do === 'unmount') return { value: unmount(request.target, request.flags) }
    if (request.do === 'resize') return { value: resize(request.target, request.file) }
    const { device, target, readOnly, discard = false } = request
    return { value: mountDisk(device, target, { readOnly, discard }) }
  } catch (error) {
    return { error: errorToMessage(error) }
  }
}

/** The kernel has been told to forget the size of the file: looking at it asks for the new one. */
function resize(device: string, file: string): boolean {
  statSync(file)
  refreshLoopSize(device)
  return true
}

writeSync(1, JSON.stringify(act()))
