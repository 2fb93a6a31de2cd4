/** What the machine says about itself. */
import { readFileSync } from 'node:fs'
import { availableParallelism, hostname } from 'node:os'
import { platform } from 'node:process'
import { MaasError } from './errors.ts'

let boot: string | undefined

/**
 * A name of the current boot of the kernel (a UUID). What is only in the page cache counts as
 * long as this stays the same; after a crash of the machine it differs.
 *
 * @throws MaasError PLATFORM_UNSUPPORTED where the kernel has none
 */
export function bootId(): string {
  if (boot !== undefined) return boot
  const path = '/proc/sys/kernel/random/boot_id'
  try {
    boot = readFileSync(path, 'latin1').trim()
  } catch (cause) {
    const message = 'this system does not name its boots'
    throw new MaasError('PLATFORM_UNSUPPORTED', message, { platform, path }, { cause })
  }
  return boot
}

/** Cores this process may use; its CPU affinity and control group count. */
export function cpuCount(): number {
  return availableParallelism()
}

export function hostName(): string {
  return hostname()
}

/**
 * Unit of memory mapping, bytes. The alignment of direct I/O is DIRECT_ALIGNMENT instead, which
 * holds also where pages are larger (arm64 may have 16 or 64 KiB).
 */
export function pageSize(): number {
  return memoryPage()
}

/** Read from the entry AT_PAGESZ of the auxiliary vector: pairs of u64, key and value. */
function memoryPage(): number {
  const AT_PAGESZ = 6n
  if (platform !== 'linux') return 4096
  const vector = readFileSync('/proc/self/auxv')
  for (let offset = 0; offset + 16 <= vector.length; offset += 16) {
    if (vector.readBigUInt64LE(offset) === AT_PAGESZ)
      return Number(vector.readBigUInt64LE(offset + 8))
  }
  return 4096
}

export interface MemoryUse {
  /** Bytes resident now, all threads. */
  readonly residentBytes: number
  /** The most since the process began. */
  readonly peakBytes: number
}

/** Memory of this process. */
export function memoryUse(): MemoryUse {
  // ru_maxrss is in KiB on Linux, as Node passes it on.
  const peakBytes = process.resourceUsage().maxRSS * 1024
  return { residentBytes: process.memoryUsage.rss(), peakBytes }
}
