/** What plugged disks leave on a machine: mounts, loop devices, processes. */
import { existsSync, globSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import process from 'node:process'

/** Engine and keeper of a medium: the keeper is the engine's parent. */
export interface MediumProcesses {
  readonly engine: number
  readonly keeper: number
}

/** Everything of this machine that names one of the words: a medium's id, a pool's directory. */
export function findLeftovers(words: readonly string[]): string[] {
  const names = (text: string): boolean => words.some((word) => text.includes(word))
  const found: string[] = []
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    if (names(line)) found.push(`mount ${line}`)
  }
  for (const path of globSync('/sys/block/loop*/loop/backing_file')) {
    if (existsSync(path) && names(readFileSync(path, 'utf8'))) found.push(`loop ${path}`)
  }
  for (const pid of listProcesses()) {
    if (pid !== process.pid && names(describeProcess(pid))) {
      found.push(`process ${pid} ${commandLine(pid)}`)
    }
  }
  return found
}

export function listProcesses(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
}

/** Empty once the process is gone. */
export function commandLine(pid: number): string {
  return readGone(`/proc/${pid}/cmdline`).replaceAll('\0', ' ')
}

function describeProcess(pid: number): string {
  const parts = [commandLine(pid), linkOf(`/proc/${pid}/cwd`)]
  try {
    for (const fd of readdirSync(`/proc/${pid}/fd`)) parts.push(linkOf(`/proc/${pid}/fd/${fd}`))
  } catch {
    return '' // It ended while we looked.
  }
  return parts.join('\n')
}

/** @returns undefined while the engine is being started again */
export function findProcesses(mediumId: string): MediumProcesses | undefined {
  for (const pid of listProcesses()) {
    const line = commandLine(pid)
    if (!line.includes(mediumId) || !line.includes('/engine/main.ts')) continue
    if (line.includes('openmaas-keeper')) continue
    const keeper = parentOf(pid)
    if (keeper !== undefined && commandLine(keeper).includes('openmaas-keeper'))
      return { engine: pid, keeper }
  }
  return undefined
}

/** Every process of the medium, whatever its parent. */
export function processesOf(mediumId: string): number[] {
  return listProcesses().filter((pid) => {
    const line = commandLine(pid)
    return line.includes(mediumId) && line.includes('/engine/main.ts')
  })
}

export function childrenOf(pid: number): number[] {
  return listProcesses().filter((child) => parentOf(child) === pid)
}

function parentOf(pid: number): number | undefined {
  const parent = /\nPPid:\s+(\d+)/.exec(readGone(`/proc/${pid}/status`))?.[1]
  return parent === undefined ? undefined : Number(parent)
}

/** kill -9; false when it was gone already. */
export function kill(pid: number): boolean {
  try {
    process.kill(pid, 'SIGKILL')
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
    throw error
  }
}

function readGone(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}
