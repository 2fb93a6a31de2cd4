/** The directories of a restore: made before everything else, given their metadata at last. */
import { MaasError } from '@openmaas/kernel/errors'
import { AT_SYMLINK_NOFOLLOW, E } from '@openmaas/kernel/posix/constants'
import { close } from '@openmaas/kernel/posix/files'
import { checked, cString } from '@openmaas/kernel/posix/library'
import { mkdirat } from '@openmaas/kernel/posix/names'
import { makeStatx, STATX_BASIC_STATS, statx } from '@openmaas/kernel/posix/statx'
import { DIRECTORY_STATE } from './messages.ts'
import { openTargetDirectory, type RestoreLane } from './restore-lane.ts'
import { type WalkedDirectory, walkRestore } from './walk.ts'

const S_IFMT = 0o170000
const S_IFDIR = 0o040000

export interface DirectoryPhase {
  readonly lane: RestoreLane
  readonly targetFd: number
  /** One byte for each directory: DIRECTORY_STATE. */
  readonly states: Uint8Array
  /** What the target itself is. */
  readonly targetState: number
}

/** Makes every directory, parents first, open to nobody else until the end. */
export function makeDirectories({ lane, targetFd, states, targetState }: DirectoryPhase): void {
  const statxBuffer = makeStatx()
  const parents: number[] = []
  for (const event of walkRestore(lane.reader, lane.roots, 'directories')) {
    if (event.kind === 'leave') parents.pop()
    if (event.kind !== 'enter') continue
    if (lane.isOver) return
    const { directory } = event
    const parent = parents.at(-1)
    parents.push(directory.index)
    if (directory.path === '') states[directory.index] = targetState
    else {
      const above = parent === undefined ? targetState : states[parent]!
      states[directory.index] = makeOne(lane, targetFd, directory, { above, statxBuffer })
    }
  }
}

function makeOne(
  lane: RestoreLane,
  targetFd: number,
  directory: WalkedDirectory,
  { above, statxBuffer }: { readonly above: number; readonly statxBuffer: Buffer },
): number {
  if (above === DIRECTORY_STATE.skipped) return DIRECTORY_STATE.skipped
  const { path } = directory
  const slash = path.lastIndexOf('/')
  const name = cString(Buffer.from(path.slice(slash + 1), 'latin1'))
  const dirfd = openTargetDirectory(targetFd, path.slice(0, Math.max(0, slash)))
  try {
    const made = mkdirat(dirfd, name, 0o700)
    if (made >= 0) return DIRECTORY_STATE.fresh
    if (made !== -E.EEXIST) checked(made, 'mkdir', name)
    checked(statx(dirfd, name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, statxBuffer), 'statx', name)
    if ((statxBuffer.readUInt16LE(28) & S_IFMT) === S_IFDIR) return DIRECTORY_STATE.merged
    if (!lane.entries.resolveConflict({ dirfd, name, path, fresh: false, own: false })) {
      return DIRECTORY_STATE.skipped
    }
    checked(mkdirat(dirfd, name, 0o700), 'mkdir', name)
    return DIRECTORY_STATE.fresh
  } finally {
    close(dirfd)
  }
}

/** Owner, attributes, mode and times, children first: a closed parent would hide them. */
export function finishDirectories({ lane, targetFd, states, targetState }: DirectoryPhase): void {
  for (const event of walkRestore(lane.reader, lane.roots, 'directories')) {
    if (event.kind !== 'leave') continue
    if (lane.isOver) throw new MaasError('CANCELLED', 'the restore was cancelled')
    const { index, path, entry } = event.directory
    if (entry === undefined || states[index] === DIRECTORY_STATE.skipped) continue
    lane.counters.add('directories', 1)
    lane.counters.add('entries', 1)
    // A target that others use keeps its own mode and owner.
    if (path === '' && targetState !== DIRECTORY_STATE.fresh) continue
    const fd = openTargetDirectory(targetFd, path)
    try {
      lane.metadata.writeOpen(fd, entry, event.directory)
    } finally {
      close(fd)
    }
  }
}
