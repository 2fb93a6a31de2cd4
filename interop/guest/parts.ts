/**
 * What a guest is made of and this machine does not have: Debian's kernel for virtual machines,
 * whose nbd is a module, and a static busybox. Both are downloaded with apt once, not installed.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, globSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const CACHE = fileURLToPath(new URL('../../node_modules/.cache/openmaas-guest', import.meta.url))
const KERNEL_PACKAGE = 'linux-image-cloud-amd64'
/** 28 MB over a slow line. */
const DOWNLOAD_TIMEOUT_MS = 120_000
/** Of the kernel's 90 MB, what a guest with one disk needs. */
const KERNEL_FILES = [
  './boot/vmlinuz-*',
  './lib/modules/*/kernel/drivers/virtio/*',
  './lib/modules/*/kernel/drivers/block/*',
  './lib/modules/*/kernel/fs/fuse/*',
]

export interface GuestParts {
  readonly kernel: string
  /** Directory in which its modules lie, however deep. */
  readonly modules: string
  readonly busybox: string
}

/** @returns the parts, or the name of the one that cannot be had: apt offline, or not Debian's */
export function fetchParts(): GuestParts | string {
  const ready = path.join(CACHE, 'ready')
  if (!existsSync(ready)) {
    const making = path.join(CACHE, `making-${process.pid}`)
    mkdirSync(making, { recursive: true })
    try {
      download(making)
      renameSync(making, ready)
    } catch (error) {
      if (!existsSync(ready)) return `${KERNEL_PACKAGE} (${String(error).split('\n')[0]})`
    } finally {
      rmSync(making, { recursive: true, force: true })
    }
  }
  const kernel = globSync(path.join(ready, 'boot/vmlinuz-*'))[0]
  if (kernel === undefined) return KERNEL_PACKAGE
  return { kernel, modules: path.join(ready, 'lib/modules'), busybox: path.join(ready, 'busybox') }
}

function download(directory: string): void {
  const run = (program: string, ...args: string[]): string =>
    execFileSync(program, args, {
      cwd: directory,
      encoding: 'utf8',
      timeout: DOWNLOAD_TIMEOUT_MS,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
  const depends = run('apt-cache', 'depends', '--no-recommends', KERNEL_PACKAGE)
  const kernel = /Depends: (linux-image-\S+)/.exec(depends)?.[1]
  if (kernel === undefined) throw new Error('apt does not know it')
  run('apt-get', 'download', kernel, 'busybox-static')
  const tar = KERNEL_FILES.map((file) => `'${file}'`).join(' ')
  run('sh', '-c', `dpkg-deb --fsys-tarfile linux-image-*.deb | tar -x --wildcards ${tar}`)
  run('sh', '-c', 'dpkg-deb --fsys-tarfile busybox-static_*.deb | tar -xO ./bin/busybox >busybox')
  run('sh', '-c', 'chmod 755 busybox && rm ./*.deb')
}
