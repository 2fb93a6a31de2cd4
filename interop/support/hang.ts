/** What a program that does not end is waiting for: every thread of it and of its descendants. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import process from 'node:process'

/** Threads named of one process; Node has about fifteen. */
const THREADS_MAX = 40

/** A program and what it started, the program first. */
export function familyOf(pid: number): number[] {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc')) {
    if (/^\d+$/.test(name)) parents.set(Number(name), parentOf(Number(name)))
  }
  const family = [pid]
  for (const member of family) {
    for (const [child, parent] of parents) if (parent === member) family.push(child)
  }
  return family
}

/** Its threads with their states, the system calls they are in, and who else holds its output. */
export function describeHang(pid: number): string {
  const lines: string[] = []
  for (const member of familyOf(pid)) {
    lines.push(`process ${member}: ${commandOf(member)}`)
    for (const thread of list(`/proc/${member}/task`).slice(0, THREADS_MAX)) {
      const at = `/proc/${member}/task/${thread}`
      const state = /^State:\s*(\S)/m.exec(read(`${at}/status`))?.[1] ?? 'gone'
      const [name, wait, call] = [read(`${at}/comm`), read(`${at}/wchan`), read(`${at}/syscall`)]
      lines.push(`  ${thread} ${name} ${state} in ${wait}, call ${call.split(' ', 4).join(' ')}`)
    }
  }
  return [...lines, ...holdersOfOurPipes()].join('\n')
}

/** Ends it and all it started: what strace traces lives on when only strace is killed. */
export function killFamily(pid: number): void {
  for (const member of familyOf(pid).toReversed()) {
    try {
      process.kill(member, 'SIGKILL')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
}

/** A program that ended is not over for its reader while another holds the end of its pipe. */
function holdersOfOurPipes(): string[] {
  const ours = new Set(pipesOf(process.pid))
  return list('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => pipesOf(Number(name)).some((pipe) => ours.has(pipe)))
    .map((name) => `holds a pipe of the test: ${name} ${commandOf(Number(name))}`)
}

function pipesOf(pid: number): string[] {
  return list(`/proc/${pid}/fd`)
    .map((descriptor) => link(`/proc/${pid}/fd/${descriptor}`))
    .filter((target) => /^(?:pipe|socket):/.test(target))
}

const commandOf = (pid: number): string => read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ')

function parentOf(pid: number): number {
  return Number(/^PPid:\s*(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0)
}

// Whatever is looked at may end meanwhile: then it reads as nothing.
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return ''
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}

function link(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}
