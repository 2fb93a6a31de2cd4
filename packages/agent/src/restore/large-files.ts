/** Large files, one after the other, each written by all lanes. */
import { close } from '@openmaas/kernel/posix/files'
import { ENTRY_KIND } from '@openmaas/pool/tree/entry-layout'
import type { TreeEntry } from '@openmaas/pool/tree/entry'
import { temporaryName } from './entry-restorer.ts'
import { DIRECTORY_STATE, type LargeFileTask } from './messages.ts'
import { openTargetDirectory, type RestoreLane } from './restore-lane.ts'
import {
  joinName,
  LARGE_FILE_SIZE_MIN,
  plainName,
  type WalkedDirectory,
  walkRestore,
} from './walk.ts'

interface LargeFile {
  readonly entry: TreeEntry
  readonly name: Buffer
  readonly directory: WalkedDirectory
}

/** @param write gives the task to all lanes and waits for them */
export async function restoreLargeFiles(
  lane: RestoreLane,
  targetFd: number,
  write: (task: LargeFileTask) => Promise<void>,
): Promise<void> {
  if (!lane.sawLargeFiles) return
  for (const file of findLargeFiles(lane)) {
    if (lane.isOver) return
    const state = lane.stateOf(file.directory.index)
    if (state === DIRECTORY_STATE.skipped) continue
    const dirfd = openTargetDirectory(targetFd, file.directory.path)
    try {
      await restoreOne(lane, file, { dirfd, fresh: state === DIRECTORY_STATE.fresh, write })
    } finally {
      close(dirfd)
    }
  }
}

function* findLargeFiles(lane: RestoreLane): Generator<LargeFile> {
  for (const event of walkRestore(lane.reader, lane.roots)) {
    if (event.kind === 'single') {
      const { entry, name } = event.root
      if (!isLarge(entry.kind, entry.size)) continue
      yield { entry, name: Buffer.from(name, 'latin1'), directory: event.directory }
    } else if (event.kind === 'entries') {
      const { node, directory } = event
      for (let i = 0; i < node.count; i += 1) {
        if (!isLarge(node.kindAt(i), node.sizeAt(i))) continue
        const entry = node.entryAt(i)
        yield { entry, name: entry.name, directory }
      }
    }
  }
}

function isLarge(kind: number, size: number): boolean {
  return kind === ENTRY_KIND.file && size >= LARGE_FILE_SIZE_MIN
}

async function restoreOne(
  lane: RestoreLane,
  { entry, name, directory }: LargeFile,
  how: {
    readonly dirfd: number
    readonly fresh: boolean
    readonly write: (task: LargeFileTask) => Promise<void>
  },
): Promise<void> {
  const { entries, counters, metadata } = lane
  const path = joinName(directory.path, name.toString('latin1'))
  const place = { dirfd: how.dirfd, name: plainName(name), path, fresh: how.fresh, own: false }
  counters.add('entries', 1)
  counters.add('files', 1)
  if (entries.makeRoom(entry, place) !== 'free') {
    counters.add('skipped', 1)
    return
  }
  const fd = entries.openTemporary(place)
  try {
    const temporary = temporaryName(place.name)
    const below = joinName(directory.path, temporary.toString('latin1', 0, temporary.length - 1))
    const next = new SharedArrayBuffer(4)
    await how.write({ path: below, raw: entry.raw, next })
    metadata.writeOpen(fd, entry, place)
  } finally {
    close(fd)
  }
  entries.moveIn(place)
}
