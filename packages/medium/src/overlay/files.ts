/** The four open files of an overlay; every thread of the engine has its own handles. */
import path from 'node:path'
import type { FileHandle, Fs } from '@openmaas/kernel/fs'

export interface OverlayFiles {
  readonly data: FileHandle
  /** Two files that take turns; which one counts is in the shared state. */
  readonly journals: readonly [FileHandle, FileHandle]
  readonly dirty: FileHandle
  close(): void
}

export const overlayPath = {
  data: (directory: string): string => path.join(directory, 'data'),
  journal: (directory: string, which: 0 | 1): string =>
    path.join(directory, which === 0 ? 'journal.a' : 'journal.b'),
  dirty: (directory: string): string => path.join(directory, 'dirty'),
}

/** @throws MaasError FS_NOT_FOUND when one is missing; opens all or none */
export function openOverlayFiles(
  fs: Fs,
  directory: string,
  mode: 'readWrite' | 'read' = 'readWrite',
): OverlayFiles {
  const handles: FileHandle[] = []
  const close = (): void => {
    for (const handle of handles.splice(0)) fs.close(handle)
  }
  const open = (file: string): FileHandle => {
    const handle = fs.open(file, mode)
    handles.push(handle)
    return handle
  }
  try {
    const data = open(overlayPath.data(directory))
    const journals = [
      open(overlayPath.journal(directory, 0)),
      open(overlayPath.journal(directory, 1)),
    ] as const
    return { data, journals, dirty: open(overlayPath.dirty(directory)), close }
  } catch (error) {
    close()
    throw error
  }
}
