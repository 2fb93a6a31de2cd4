/**
 * One pass of copying a tree that may be in use: what is other than in the copy is written, block
 * by block, and what is gone is removed. A pass over files that stand still ends with an equal
 * tree; one over files in use ends with less left to do for the next.
 *
 * What has not changed since an earlier pass is not read again: its size, its place on the disk
 * and its times are as they were noted then. A time that was fresh when it was noted proves
 * nothing, for a later write may have got the same one: such a file is compared again.
 *
 * Every directory is opened without following links, and its entries through it: whoever runs as
 * the server's user cannot lead this out of the trees by laying a link.
 */
import type { BigIntStats } from 'node:fs'
import { constants } from 'node:fs'
import {
  type FileHandle,
  lchown,
  lstat,
  mkdir,
  open,
  readdir,
  readlink,
  rm,
  symlink,
} from 'node:fs/promises'
import { MaasError } from '@openmaas/kernel/errors'
import { fsError } from '@openmaas/kernel/fs-errors'

const { O_CREAT, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR } = constants

/** Read and compared at once; written in blocks of the size below. */
const BUFFER_BYTES = 1 << 20
/** What databases write at once, and file systems allocate. */
const BLOCK_BYTES = 16 * 1024
const ZEROS = Buffer.alloc(BLOCK_BYTES)
/** Times of files are those of the kernel's tick of 10 ms at most; a clock may be set a little. */
const FRESH_NS = 2_000_000_000n
/** Names that a fresh file system has, or that are ours. */
const IGNORED: ReadonlySet<string> = new Set(['lost+found'])

/** Of a file, when it was last found equal: key is its path in the tree. */
export type Seen = Map<string, string>

export interface PassResult {
  /** Of all files. */
  readonly sizeBytes: number
  readonly writtenBytes: number
}

export interface Pass {
  readonly from: string
  readonly to: string
  /** Left alone in the copy. */
  readonly keep: ReadonlySet<string>
  /** Changed by the pass to what it saw. */
  readonly seen: Seen
  readonly signal: AbortSignal
  /** Nothing changes meanwhile: what vanishes is a fault. */
  readonly still: boolean
  /** Bytes that are read or passed over. */
  readonly onBytes: (bytes: number) => void | Promise<void>
}

/** @throws MaasError FS_*, CANCELLED */
export async function copyPass(pass: Pass): Promise<PassResult> {
  const copier = new TreeCopier(pass)
  await copier.run()
  return { sizeBytes: copier.sizeBytes, writtenBytes: copier.writtenBytes }
}

class TreeCopier {
  readonly #pass: Pass
  readonly #found = new Set<string>()
  readonly #buffers = [Buffer.alloc(BUFFER_BYTES), Buffer.alloc(BUFFER_BYTES)] as const
  sizeBytes = 0
  writtenBytes = 0

  constructor(pass: Pass) {
    this.#pass = pass
  }

  async run(): Promise<void> {
    const { from, to, seen } = this.#pass
    try {
      await using source = await openDirectory(from)
      await using target = await openDirectory(to)
      await this.#directory('', source, target)
    } catch (error) {
      if (error instanceof MaasError) throw error
      const { code = 'EIO', syscall = 'copy', path } = error as NodeJS.ErrnoException
      throw fsError(code, syscall, path, error)
    }
    for (const path of seen.keys()) if (!this.#found.has(path)) seen.delete(path)
  }

  async #directory(path: string, source: FileHandle, target: FileHandle): Promise<void> {
    const names = (await readdir(through(source))).filter((name) => !IGNORED.has(name))
    const wanted = new Set(names)
    for (const name of await readdir(through(target))) {
      const kept = path === '' && (this.#pass.keep.has(name) || IGNORED.has(name))
      if (!wanted.has(name) && !kept) await removeAll(through(target, name))
    }
    for (const name of names) {
      if (this.#pass.signal.aborted) throw new MaasError('CANCELLED', 'the copy was cancelled')
      try {
        await this.#entry(`${path}/${name}`, through(source, name), through(target, name))
      } catch (error) {
        // Removed while we came to it: the next pass finds it gone.
        if (this.#pass.still || (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      }
    }
  }

  async #entry(path: string, from: string, to: string): Promise<void> {
    const stat = await lstat(from, { bigint: true })
    const there = await lstat(to, { bigint: true }).catch(nothingThere)
    if (there !== null && (there.mode & FORMAT) !== (stat.mode & FORMAT)) await removeAll(to)
    if (stat.isDirectory()) {
      if (there?.isDirectory() !== true) await mkdir(to, { mode: 0o700 })
      await using source = await openDirectory(from)
      await using target = await openDirectory(to)
      await this.#directory(path, source, target)
      await settle(target, stat)
    } else if (stat.isFile()) await this.#file(path, from, to)
    else if (stat.isSymbolicLink()) await copyLink(from, to, stat)
    // Sockets and pipes are of the process that has them open.
  }

  async #file(path: string, from: string, to: string): Promise<void> {
    await using source = await open(from, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
    // Before it is read: a write that comes meanwhile changes it.
    const nowNs = BigInt(Date.now()) * 1_000_000n
    const stat = await source.stat({ bigint: true })
    const size = Number(stat.size)
    this.#found.add(path)
    this.sizeBytes += size
    const { seen } = this.#pass
    const now = signOf(stat)
    if (seen.get(path) === now) {
      await this.#pass.onBytes(size)
      return
    }
    seen.delete(path)
    await using target = await open(to, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600)
    const before = Number((await target.stat({ bigint: true })).size)
    await this.#contents(source, target, before)
    await target.truncate(size)
    await settle(target, stat)
    if (!isFresh(stat, nowNs)) seen.set(path, now)
  }

  /** @param before of the copy: beyond it there are zeros. */
  async #contents(source: FileHandle, target: FileHandle, before: number): Promise<void> {
    const [mine, theirs] = this.#buffers
    for (let offset = 0; ;) {
      if (this.#pass.signal.aborted) throw new MaasError('CANCELLED', 'the copy was cancelled')
      const { bytesRead } = await source.read(mine, 0, BUFFER_BYTES, offset)
      if (bytesRead === 0) return
      const known =
        offset < before ? (await target.read(theirs, 0, bytesRead, offset)).bytesRead : 0
      await this.#blocks(target, offset, [mine.subarray(0, bytesRead), theirs.subarray(0, known)])
      offset += bytesRead
      await this.#pass.onBytes(bytesRead)
    }
  }

  async #blocks(target: FileHandle, at: number, [mine, theirs]: [Buffer, Buffer]): Promise<void> {
    let from = -1
    const flush = async (until: number): Promise<void> => {
      if (from < 0) return
      await writeAll(target, mine.subarray(from, until), at + from)
      this.writtenBytes += until - from
      from = -1
    }
    for (let offset = 0; offset < mine.length; offset += BLOCK_BYTES) {
      const end = Math.min(mine.length, offset + BLOCK_BYTES)
      if (isSame(mine.subarray(offset, end), theirs.subarray(offset, end))) await flush(offset)
      else if (from < 0) from = offset
    }
    await flush(mine.length)
  }
}

/** What the copy does not have yet reads as zeros. */
function isSame(mine: Buffer, theirs: Buffer): boolean {
  if (theirs.length > mine.length) return false
  const rest = mine.subarray(theirs.length)
  return (
    mine.subarray(0, theirs.length).equals(theirs) && rest.equals(ZEROS.subarray(0, rest.length))
  )
}

const FORMAT = BigInt(constants.S_IFMT)

const through = (directory: FileHandle, name?: string): string =>
  `/proc/self/fd/${directory.fd}${name === undefined ? '' : `/${name}`}`

const openDirectory = (path: string): Promise<FileHandle> =>
  open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)

function nothingThere(error: unknown): null {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
  throw error
}

const signOf = ({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string =>
  [dev, ino, size, mtimeNs, ctimeNs].join(':')

function isFresh({ mtimeNs, ctimeNs }: BigIntStats, nowNs: bigint): boolean {
  const newest = mtimeNs > ctimeNs ? mtimeNs : ctimeNs
  return newest + FRESH_NS > nowNs
}

/** Owner and mode, by number; this is the same host. */
async function settle(target: FileHandle, { uid, gid, mode }: BigIntStats): Promise<void> {
  const now = await target.stat({ bigint: true })
  if (now.uid !== uid || now.gid !== gid) await target.chown(Number(uid), Number(gid))
  const bits = Number(mode) & 0o7777
  if ((Number(now.mode) & 0o7777) !== bits) await target.chmod(bits)
}

async function copyLink(from: string, to: string, { uid, gid }: BigIntStats): Promise<void> {
  const text = await readlink(from)
  const there = await readlink(to).catch(nothingThere)
  if (there === text) return
  if (there !== null) await rm(to)
  await symlink(text, to)
  await lchown(to, Number(uid), Number(gid))
}

const removeAll = (path: string): Promise<void> => rm(path, { recursive: true, force: true })

async function writeAll(target: FileHandle, bytes: Buffer, at: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    done += (await target.write(bytes, done, bytes.length - done, at + done)).bytesWritten
  }
}
