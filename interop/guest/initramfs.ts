/**
 * The guest's first file system: busybox, modules in the order of their dependencies, and an init
 * that mounts the disk and starts the scenario. A cpio archive of the kernel's format "newc":
 * every header is the magic and thirteen numbers of eight hex digits.
 */
import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import type { GuestParts } from './parts.ts'

interface Entry {
  readonly name: string
  readonly mode: number
  readonly content: Buffer
}

const DIRECTORY = 0o040755
const PROGRAM = 0o100755
const FILE = 0o100644

/** @param modules names without `.ko`; those that they depend on come by themselves */
export function makeInitramfs(parts: GuestParts, modules: readonly string[]): Buffer {
  const files = orderModules(parts.modules, modules)
  const init = [
    '#!/bin/busybox sh',
    'export PATH=/bin',
    '/bin/busybox --install -s /bin',
    'mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs devtmpfs /dev',
    ...files.map((file) => `insmod /modules/${path.basename(file)}`),
    'while ! [ -b /dev/vda ]; do sleep 0.1; done',
    'mount -t ext4 /dev/vda /root',
    'for each in proc sys dev; do mount --move /$each /root/$each; done',
    'exec switch_root /root /guest/init',
  ]
  return makeCpio([
    ...['bin', 'modules', 'proc', 'sys', 'dev', 'root'].map((name) => directory(name)),
    { name: 'init', mode: PROGRAM, content: Buffer.from(`${init.join('\n')}\n`) },
    { name: 'bin/busybox', mode: PROGRAM, content: readFileSync(parts.busybox) },
    ...files.map((file) => ({
      name: `modules/${path.basename(file)}`,
      mode: FILE,
      content: readFileSync(file),
    })),
  ])
}

const directory = (name: string): Entry => ({ name, mode: DIRECTORY, content: Buffer.alloc(0) })

/** Dependencies first. A name without a file is built into the kernel. */
function orderModules(folder: string, wanted: readonly string[]): string[] {
  const files = new Map(
    globSync(path.join(folder, '**/*.ko')).map((file) => [plain(path.basename(file, '.ko')), file]),
  )
  const ordered = new Set<string>()
  const add = (name: string): void => {
    const file = files.get(plain(name))
    if (file === undefined || ordered.has(file)) return
    const depends = /\0depends=([^\0]*)\0/.exec(readFileSync(file, 'latin1'))?.[1] ?? ''
    for (const other of depends.split(',')) add(other)
    ordered.add(file)
  }
  for (const name of wanted) add(name)
  return [...ordered]
}

/** The kernel takes `-` and `_` in names of modules for the same. */
const plain = (name: string): string => name.replaceAll('-', '_')

function makeCpio(entries: readonly Entry[]): Buffer {
  const pieces: Buffer[] = []
  const trailer = { name: 'TRAILER!!!', mode: 0, content: Buffer.alloc(0) }
  for (const [index, { name, mode, content }] of [...entries, trailer].entries()) {
    const nameSize = Buffer.byteLength(name) + 1
    // inode, mode, uid, gid, links, mtime, size, device, special device, name size, no checksum
    const fields = [index + 1, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, nameSize, 0]
    const numbers = fields.map((field) => field.toString(16).padStart(8, '0')).join('')
    pieces.push(padded(Buffer.from(`070701${numbers}${name}\0`)), padded(content))
  }
  return Buffer.concat(pieces)
}

const padded = (bytes: Buffer): Buffer =>
  Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)])
