/**
 * The engine: the process that serves one medium.
 *
 *   argv[2]  the medium's directory in the pool
 *   fd 3     /dev/fuse, when the medium is attached here
 *   fd 4     the pool's master key, sealed
 *
 *   starting ──▶ serving ──unmounted or told to stop──▶ ended, status 0: the keeper ends too
 *      │            └──keeper lost──▶ a new keeper is started, status 0
 *      └──cannot──▶ failed, status 1: the keeper tries again, until the medium has no record
 *
 * Whatever kills it, the next engine starts from the overlay's files and asks the kernel for
 * the requests that were not answered. Also on a full disk, where it can only read (status.ts).
 */
import { existsSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { errorToMessage } from '@openmaas/kernel/error-message'
import { MaasError } from '@openmaas/kernel/errors'
import type { MediumId } from '@openmaas/kernel/ids'
import { NodeFs } from '@openmaas/kernel/node-fs'
import { setIoFlusher } from '@openmaas/kernel/posix/process'
import { loadMedium } from '../media/record.ts'
import { readKeyDescriptor, KEY_FD } from './keeper.ts'
import { outliveLog, processStart, readStatus, writeStatus } from './status.ts'
import { warmFuseThreads } from './warm-threads.ts'

const mediumDirectory = process.argv[2]
if (mediumDirectory === undefined) {
  throw new MaasError('USAGE', 'the engine is started by "openmaas plug"')
}
// Or the keeper would try for ever: a plug or an eject that was killed has been cleared away.
if (isRemoved(mediumDirectory)) process.exit(0)
outliveLog()
setIoFlusher() // Before there are threads, which inherit it. It is a help where it is granted.
const generation = (readStatus(mediumDirectory)?.generation ?? 0) + 1
const about = {
  pid: process.pid,
  processStart: processStart(process.pid) ?? 0,
  keeperPid: process.ppid,
  generation,
}
writeStatus(mediumDirectory, { ...about, state: 'starting' })
try {
  // The threads load their code beside this one: the disk is there a tenth of a second sooner.
  const warm = isServedByFuse(mediumDirectory) ? warmFuseThreads() : []
  const { Engine } = await import('./engine.ts')
  const masterKey = readKeyDescriptor(KEY_FD)
  const engine = await Engine.start({ mediumDirectory, masterKey, generation, warm })
  masterKey.fill(0)
  writeStatus(mediumDirectory, { ...about, state: 'serving' })
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.on(signal, () => engine.requestStop())
  await engine.ended
  writeStatus(mediumDirectory, { ...about, state: 'ended' })
  process.exit(0)
} catch (error) {
  writeStatus(mediumDirectory, { ...about, state: 'failed', error: errorToMessage(error) })
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
  process.exit(1)
}

/** A pool that is away altogether is waited for. */
function isRemoved(directory: string): boolean {
  const brick = path.dirname(path.dirname(directory))
  return (
    existsSync(path.join(brick, 'pool.json')) && !existsSync(path.join(directory, 'medium.json'))
  )
}

function isServedByFuse(directory: string): boolean {
  const brick = path.dirname(path.dirname(directory))
  const record = loadMedium(new NodeFs(), brick, path.basename(directory) as MediumId)
  return record.attachment?.fuseMount !== undefined
}
