/** From a statx buffer to the stat of a tree entry, without an object per file. */
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

const u64 = (bytes: Buffer, at: number): number =>
  bytes.readUInt32LE(at + 4) * 0x1_0000_0000 + bytes.readUInt32LE(at)
const i64 = (bytes: Buffer, at: number): number =>
  bytes.readInt32LE(at + 4) * 0x1_0000_0000 + bytes.readUInt32LE(at)

/** Offsets: kernel/posix/statx.ts. */
export function fillFileStat(statx: Buffer, stat: FileStat): void {
  stat.nlink = statx.readUInt32LE(16)
  stat.uid = statx.readUInt32LE(20)
  stat.gid = statx.readUInt32LE(24)
  stat.mode = statx.readUInt16LE(28)
  stat.inoLow = statx.readUInt32LE(32)
  stat.inoHigh = statx.readUInt32LE(36)
  stat.size = u64(statx, 40)
  stat.allocated = u64(statx, 48) * 512
  stat.ctimeSec = i64(statx, 96)
  stat.ctimeNs = statx.readUInt32LE(104)
  stat.mtimeSec = i64(statx, 112)
  stat.mtimeNs = statx.readUInt32LE(120)
  stat.rdevMajor = statx.readUInt32LE(128)
  stat.rdevMinor = statx.readUInt32LE(132)
  stat.deviceMajor = statx.readUInt32LE(136)
  stat.deviceMinor = statx.readUInt32LE(140)
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
