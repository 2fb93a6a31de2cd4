/**
 * Files with several names: the first name met gets the file, the others are linked to it.
 *
 * Memory: key and path of each such file, about 150 bytes; 150 MB for a million.
 */
import { openBeneath } from '@openmaas/kernel/posix/beneath'
import { E, O_DIRECTORY, O_RDONLY } from '@openmaas/kernel/posix/constants'
import { close } from '@openmaas/kernel/posix/files'
import { checked } from '@openmaas/kernel/posix/library'
import { linkat } from '@openmaas/kernel/posix/names'
import { makeStatx, STATX_BASIC_STATS, statx } from '@openmaas/kernel/posix/statx'
import { AT_SYMLINK_NOFOLLOW } from '@openmaas/kernel/posix/constants'
import { ENTRY_KIND } from '@openmaas/pool/tree/entry-layout'
import type { TreeEntry } from '@openmaas/pool/tree/entry'
import { type Place, temporaryName } from './entry-restorer.ts'
import { DIRECTORY_STATE } from './messages.ts'
import { openTargetDirectory, type RestoreLane } from './restore-lane.ts'
import { joinName, plainName, type WalkEvent, walkRestore } from './walk.ts'

interface LinkedName {
  readonly directory: string
  readonly name: Buffer
}

export class LinkRestorer {
  readonly #lane: RestoreLane
  readonly #targetFd: number
  readonly #first = new Map<string, LinkedName>()
  readonly #a = makeStatx()
  readonly #b = makeStatx()

  constructor(lane: RestoreLane, targetFd: number) {
    this.#lane = lane
    this.#targetFd = targetFd
  }

  restoreAll(): void {
    const { reader, roots } = this.#lane
    if (reader.root.links === undefined) return
    for (const event of walkRestore(reader, roots)) {
      if (this.#lane.isOver) return
      this.#restoreEvent(event)
    }
  }

  #restoreEvent(event: WalkEvent): void {
    if (event.kind !== 'entries' && event.kind !== 'single') return
    const { directory } = event
    const links: { entry: TreeEntry; name: Buffer }[] = []
    if (event.kind === 'single') {
      const { entry, name } = event.root
      if (entry.kind === ENTRY_KIND.hardLink)
        links.push({ entry, name: Buffer.from(name, 'latin1') })
    } else {
      const { node } = event
      for (let i = 0; i < node.count; i += 1) {
        if (node.kindAt(i) !== ENTRY_KIND.hardLink) continue
        const entry = node.entryAt(i)
        links.push({ entry, name: entry.name })
      }
    }
    const state = this.#lane.stateOf(directory.index)
    if (links.length === 0 || state === DIRECTORY_STATE.skipped) return
    const dirfd = openTargetDirectory(this.#targetFd, directory.path)
    try {
      for (const { entry, name } of links) {
        const path = joinName(directory.path, name.toString('latin1'))
        const place = {
          dirfd,
          name: plainName(name),
          path,
          fresh: state === DIRECTORY_STATE.fresh,
          own: false,
        }
        this.#restoreName(entry, place, directory.path)
      }
    } finally {
      close(dirfd)
    }
  }

  #restoreName(entry: TreeEntry, place: Place, directory: string): void {
    const { counters, entries, reader } = this.#lane
    const key = entry.linkKey!.toString('latin1')
    const first = this.#first.get(key)
    counters.add('entries', 1)
    counters.add('files', 1)
    if (first === undefined) {
      // What stands there complete is the file for the other names, too.
      const inode = reader.resolve(entry)
      const outcome = entries.restore(inode, place)
      if (outcome !== 'restored') counters.add('skipped', 1)
      // Another file that stays in its place is not the file of the other names.
      if (outcome !== 'skipped') this.#first.set(key, { directory, name: Buffer.from(place.name) })
      return
    }
    if (this.#linkTo(first, place) === 'skipped') counters.add('skipped', 1)
  }

  #linkTo(first: LinkedName, place: Place): 'restored' | 'skipped' {
    const { entries } = this.#lane
    const flags = O_RDONLY | O_DIRECTORY
    const from = checked(
      openBeneath(this.#targetFd, Buffer.from(first.directory, 'latin1'), flags),
      'open',
    )
    try {
      if (!place.fresh) {
        if (this.#isSame(from, first.name, place)) return 'skipped'
        const there = statx(
          place.dirfd,
          place.name,
          AT_SYMLINK_NOFOLLOW,
          STATX_BASIC_STATS,
          this.#a,
        )
        if (there !== -E.ENOENT && !entries.mayReplace(place)) return 'skipped'
      }
      const target = temporaryName(place.name)
      const names = {
        sourceDirectory: from,
        source: first.name,
        targetDirectory: place.dirfd,
        target,
      }
      let status = linkat(names)
      if (status === -E.EEXIST) {
        entries.removeTemporary(place)
        status = linkat(names)
      }
      checked(status, 'link', place.name)
      entries.moveIn(place)
      return 'restored'
    } finally {
      close(from)
    }
  }

  /** True when both names are one file already. */
  #isSame(from: number, name: Buffer, place: Place): boolean {
    const flags = AT_SYMLINK_NOFOLLOW
    if (statx(from, name, flags, STATX_BASIC_STATS, this.#a) < 0) return false
    if (statx(place.dirfd, place.name, flags, STATX_BASIC_STATS, this.#b) < 0) return false
    return (
      this.#a.compare(this.#b, 32, 40, 32, 40) === 0 &&
      this.#a.compare(this.#b, 136, 144, 136, 144) === 0
    )
  }
}
