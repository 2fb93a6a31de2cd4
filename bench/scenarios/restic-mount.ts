/** `restic mount` as a resource: up when its newest snapshot can be listed. */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Restic } from '../tools/restic.ts'

const START_TIMEOUT_MS = 60_000

export interface ResticMount extends AsyncDisposable {
  /** The root of the newest snapshot. */
  readonly latest: string
  readonly pid: number
}

export async function mountRestic(
  restic: Restic,
  repository: string,
  mountPoint: string,
): Promise<ResticMount> {
  mkdirSync(mountPoint, { recursive: true })
  const { file, parameters, environment } = restic.command(repository, 'mount', mountPoint)
  const child = spawn(file, parameters, {
    stdio: 'ignore',
    env: { ...process.env, ...environment },
  })
  const ended = new Promise<void>((settle) => child.once('exit', () => settle()))
  const unmount = async (): Promise<void> => {
    spawnSync('fusermount', ['-u', '-z', mountPoint])
    child.kill('SIGINT')
    await ended
  }
  const latest = join(mountPoint, 'snapshots', 'latest')
  const deadline = performance.now() + START_TIMEOUT_MS
  while (!existsSync(latest)) {
    if (child.exitCode !== null || performance.now() > deadline) {
      await unmount()
      throw new Error(`${restic.name} does not mount (fuse3 installed?)`)
    }
    await delay(5)
  }
  return { latest, pid: child.pid!, [Symbol.asyncDispose]: unmount }
}
