/** The process that makes one system call which may wait for ever: see mount-process.ts. */
import { writeSync } from 'node:fs'
import process from 'node:process'
import { errorToMessage } from '@openmaas/kernel/error-message'
import { unmount } from '@openmaas/kernel/posix/mount'
import { mountDisk } from './mount-disk.ts'
import type { MountAnswer, MountRequest } from './mount-process.ts'

const request = JSON.parse(process.argv[2] ?? '') as MountRequest

function act(): MountAnswer {
  try {
    if (request.do === 'unmount') return { value: unmount(request.target, request.flags) }
    return { value: mountDisk(request.device, request.target, { readOnly: request.readOnly }) }
  } catch (error) {
    return { error: errorToMessage(error) }
  }
}

writeSync(1, JSON.stringify(act()))
