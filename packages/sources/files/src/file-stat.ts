/** From a statx buffer to the stat of a tree entry, without an object per file. */
import { makeStatx } from '@openmaas/kernel/posix/statx'
import type { EntryStat } from '@openmaas/pool/tree/entry'

/** A stat with what only the capture needs. Reused from file to file. */
export interface FileStat extends EntryStat {
  /** Bytes allocated; fewer than the size mean holes. */
  allocated: number
  deviceMajor: number
  deviceMinor: number
  rdevMajor: number
  rdevMinor: number
}

export function makeFileStat(): FileStat {
  return {
    mode: 0,
    uid: 0,
    gid: 0,
    nlink: 0,
    size: 0,
    inoLow: 0,
    inoHigh: 0,
    mtimeSec: 0,
    mtimeNs: 0,
    ctimeSec: 0,
    ctimeNs: 0,
    allocated: 0,
    deviceMajor: 0,
    deviceMinor: 0,
    rdevMajor: 0,
    rdevMinor: 0,
  }
}

/**
 * What statx(2) fills, and its fields; reused from file to file. They are read through a DataView:
 * the accessors of Buffer are compiled ten times as long, which a walk of half a second notices.
 * Offsets: kernel/posix/statx.ts.
 */
export class StatxFields {
  /** To pass to `statx`. */
  readonly bytes = makeStatx()
  readonly #view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length)

  get mode(): number {
    return this.#view.getUint16(28, true)
  }

  fill(stat: FileStat): void {
    const view = this.#view
    stat.nlink = view.getUint32(16, true)
    stat.uid = view.getUint32(20, true)
    stat.gid = view.getUint32(24, true)
    stat.mode = view.getUint16(28, true)
    stat.inoLow = view.getUint32(32, true)
    stat.inoHigh = view.getUint32(36, true)
    stat.size = readU53(view, 40)
    stat.allocated = readU53(view, 48) * 512
    stat.ctimeSec = readI64(view, 96)
    stat.ctimeNs = view.getUint32(104, true)
    stat.mtimeSec = readI64(view, 112)
    stat.mtimeNs = view.getUint32(120, true)
    stat.rdevMajor = view.getUint32(128, true)
    stat.rdevMinor = view.getUint32(132, true)
    stat.deviceMajor = view.getUint32(136, true)
    stat.deviceMinor = view.getUint32(140, true)
  }
}

function readU53(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * 0x1_0000_0000 + view.getUint32(at, true)
}

function readI64(view: DataView, at: number): number {
  return view.getInt32(at + 4, true) * 0x1_0000_0000 + view.getUint32(at, true)
}

/** False when the file was written to, replaced or changed in its metadata between the two. */
export function sameFile(a: FileStat, b: FileStat): boolean {
  return (
    a.ctimeNs === b.ctimeNs &&
    a.ctimeSec === b.ctimeSec &&
    a.mtimeNs === b.mtimeNs &&
    a.mtimeSec === b.mtimeSec &&
    a.size === b.size &&
    a.inoLow === b.inoLow &&
    a.inoHigh === b.inoHigh &&
    a.mode === b.mode &&
    a.deviceMajor === b.deviceMajor &&
    a.deviceMinor === b.deviceMinor
  )
}
