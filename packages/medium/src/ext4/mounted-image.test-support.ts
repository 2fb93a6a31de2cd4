/** Test support: a view written to a file, checked by e2fsck, mounted by the kernel. Root only. */
import { execFileSync, spawnSync } from 'node:child_process'
import { closeSync, ftruncateSync, mkdirSync, openSync, writeSync } from 'node:fs'
import type { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import type { Ext4View } from './ext4-view.ts'

const PIECE = 2 ** 20

/** What of the view is not zero goes to the file; the rest stays a hole. */
export function writeImage(view: Ext4View, path: string): void {
  const file = openSync(path, 'w')
  ftruncateSync(file, view.size)
  const buffer = Buffer.alloc(PIECE)
  const zeros = Buffer.alloc(PIECE)
  for (const { offset, length, zero } of view.blockStatus(0, view.size)) {
    for (let done = 0; !zero && done < length; done += PIECE) {
      const piece = buffer.subarray(0, Math.min(PIECE, length - done))
      view.read(offset + done, piece)
      if (!piece.equals(zeros.subarray(0, piece.length))) {
        writeSync(file, piece, 0, piece.length, offset + done)
      }
    }
  }
  closeSync(file)
}

/** What e2fsck says, and its exit code: 0 is clean. Nothing is changed. */
export function checkImage(path: string): { code: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync('e2fsck', ['-fn', path], { encoding: 'utf8' })
  return { code: status, output: stdout + stderr }
}

/** Mounts for as long as `use` runs. */
export function withMount(
  site: TemporaryDirectory,
  image: string,
  options: { readonly write: boolean },
  use: (path: string) => void,
): void {
  const path = site.join('mnt')
  mkdirSync(path, { recursive: true })
  execFileSync('mount', ['-o', options.write ? 'loop' : 'loop,ro', image, path])
  try {
    use(path)
  } finally {
    execFileSync('umount', [path])
  }
}
