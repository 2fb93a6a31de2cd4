/**
 * A virtual machine in pure emulation, which runs wherever qemu does: a kernel, one ext4 disk with
 * this checkout, Node and what a scenario needs, and a serial line on which the scenario speaks.
 */
import { execFileSync, spawn } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  cpSync,
  globSync,
  mkdirSync,
  readFileSync,
  realpathSync,
} from 'node:fs'
import { statSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { findProgram } from '@openmaas/testkit/requires'
import { makeInitramfs } from './initramfs.ts'
import type { GuestParts } from './parts.ts'

const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')
/** Twice what stands on it: Node takes 130 MB. */
const DISK_SIZE = '512M'
const MEMORY = '1024M'
/** Guests take under a minute; on a machine with much other work they have taken five. */
export const GUEST_TIMEOUT_MS = 540_000
/** A serial line that says more has gone mad. */
const OUTPUT_MAX = 4 * 1024 * 1024

export interface GuestOptions {
  readonly parts: GuestParts
  /** Kernel modules that are loaded before the scenario begins. */
  readonly modules: readonly string[]
  /** A shell script; it is run with a console, everything mounted, and nothing else running. */
  readonly scenario: string
  /** Programs of this machine that the scenario uses, beside busybox and Node. */
  readonly programs: readonly string[]
  /** Directories that the guest finds under the same path. */
  readonly folders: readonly string[]
  /** An empty directory for the machine's files. */
  readonly directory: string
}

/** Runs the scenario. @returns what it printed, once the guest has switched itself off */
export async function runGuest(options: GuestOptions): Promise<string> {
  const root = path.join(options.directory, 'root')
  fillRoot(root, options)
  const disk = path.join(options.directory, 'disk')
  execFileSync('mkfs.ext4', ['-q', '-F', '-O', '^has_journal', '-d', root, disk, DISK_SIZE])
  const initramfs = path.join(options.directory, 'initramfs')
  writeFileSync(
    initramfs,
    makeInitramfs(options.parts, ['virtio_pci', 'virtio_blk', ...options.modules]),
  )
  return runMachine(
    [
      ['-machine', 'q35', '-accel', 'tcg,thread=multi', '-cpu', 'max', '-smp', '2', '-m', MEMORY],
      ['-nodefaults', '-no-user-config', '-nographic', '-no-reboot', '-serial', 'stdio'],
      ['-kernel', options.parts.kernel, '-initrd', initramfs],
      ['-append', 'console=ttyS0 panic=-1 quiet mitigations=off'],
      ['-drive', `file=${disk},if=virtio,format=raw,cache=unsafe`],
    ].flat(),
  )
}

function runMachine(args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('qemu-system-x86_64', args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    const take = (bytes: Buffer): void => {
      output += bytes.toString('latin1')
      if (output.length > OUTPUT_MAX) child.kill('SIGKILL')
    }
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    const timer = setTimeout(() => child.kill('SIGKILL'), GUEST_TIMEOUT_MS)
    child.once('error', reject)
    child.once('close', (code) => {
      clearTimeout(timer)
      if (code === 0) resolve(output.replaceAll('\r', ''))
      else reject(new Error(`the guest ended with ${code}\n${output.slice(-4000)}`))
    })
  })
}

function fillRoot(root: string, options: GuestOptions): void {
  for (const name of ['bin', 'sbin', 'proc', 'sys', 'dev', 'run', 'tmp', 'root', 'etc', 'guest']) {
    mkdirSync(path.join(root, name), { recursive: true })
  }
  copyFileSync(options.parts.busybox, path.join(root, 'bin/busybox'))
  symlinkSync('busybox', path.join(root, 'bin/sh'))
  const init = [
    '#!/bin/sh',
    'export PATH=/guest:/bin:/sbin HOME=/root',
    '/bin/busybox --install -s /bin',
    'mount -t tmpfs tmpfs /run',
    '/guest/scenario; echo "guest: status $?"',
    'sync; mount -o remount,ro /; poweroff -f',
  ]
  writeFileSync(path.join(root, 'guest/init'), `${init.join('\n')}\n`)
  copyFileSync(options.scenario, path.join(root, 'guest/scenario'))
  for (const name of ['init', 'scenario']) chmodSync(path.join(root, 'guest', name), 0o755)
  copyProgram(root, process.execPath, 'node')
  for (const name of options.programs) copyProgram(root, findProgram(name)!, name)
  copyCheckout(root)
  for (const folder of options.folders) {
    cpSync(folder, path.join(root, folder), { recursive: true, preserveTimestamps: true })
  }
}

/** The program as /guest/<name>, with the libraries that ldd names. */
function copyProgram(root: string, program: string, name: string): void {
  copyFileSync(realpathSync(program), path.join(root, 'guest', name))
  copyLibraries(root, program)
}

function copyLibraries(root: string, binary: string): void {
  const libraries = execFileSync('ldd', [binary], { encoding: 'utf8' }).matchAll(/(\/\S+) \(0x/g)
  for (const [, library] of libraries) {
    mkdirSync(path.join(root, path.dirname(library!)), { recursive: true })
    copyFileSync(realpathSync(library!), path.join(root, library!))
  }
}

/**
 * The packages, and of node_modules what they depend on, under the path they have here: then a
 * compile cache made here is good there, without which Node starts for half a minute.
 */
function copyCheckout(root: string): void {
  const target = path.join(root, CHECKOUT)
  for (const name of ['packages', 'package.json', 'node_modules/@openmaas']) {
    cpSync(path.join(CHECKOUT, name), path.join(target, name), {
      recursive: true,
      verbatimSymlinks: true,
      // What browsers show is as large as all else together.
      filter: (file) => !file.startsWith(path.join(CHECKOUT, 'packages/console')),
    })
  }
  for (const name of runtimeDependencies()) {
    const folder = path.join('node_modules', name)
    cpSync(path.join(CHECKOUT, folder), path.join(target, folder), { recursive: true })
    // Prebuilt ones for machines of another kind, or C library, have libraries that are not here.
    for (const file of globSync(path.join(CHECKOUT, folder, '**/*.node'))) {
      if (/linux.x64/.test(file) && !file.includes('musl')) copyLibraries(root, file)
    }
  }
}

/** By the lock file: everything that is not for development only, and is there. */
function runtimeDependencies(): string[] {
  const lock = JSON.parse(readFileSync(path.join(CHECKOUT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean; link?: boolean }>
  }
  return Object.entries(lock.packages)
    .filter(([folder, { dev, link }]) => folder.startsWith('node_modules/') && !dev && !link)
    .map(([folder]) => folder.slice('node_modules/'.length))
    .filter((name) =>
      statSync(path.join(CHECKOUT, 'node_modules', name), { throwIfNoEntry: false }),
    )
}
