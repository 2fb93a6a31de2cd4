/** What a host tells of itself, for people to read. */
import { readFileSync } from 'node:fs'
import { arch, cpus, hostname, networkInterfaces, release, totalmem, type } from 'node:os'
import { hostAbout } from '@openmaas/protocols/channel/frames'
import type { HostAbout, HostEngine } from '@openmaas/protocols/channel/frames'

/** As the frame has it. */
const ENGINES_MAX = 64

/** @param engines  of databases, that an agent has plug-ins for */
export function describeHost(engines: readonly HostEngine[] = []): HostAbout {
  const addresses = Object.values(networkInterfaces())
    .flatMap((rows) => rows ?? [])
    .filter(({ internal, address }) => !internal && !address.startsWith('fe80:'))
    .map(({ address }) => address)
  return hostAbout.parse({
    os: osName(),
    kernel: `${type()} ${release()}`,
    arch: arch(),
    hostname: hostname(),
    addresses: [...new Set(addresses)].slice(0, 64),
    cpuCount: cpus().length,
    memoryBytes: totalmem(),
    engines: engines.slice(0, ENGINES_MAX),
  })
}

function osName(): string {
  try {
    const text = readFileSync('/etc/os-release', 'utf8')
    return /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(text)?.[1] ?? type()
  } catch {
    return type() // No Linux distribution of the usual kind; the kernel's name says enough.
  }
}
