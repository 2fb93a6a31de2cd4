/** What the figures were measured on: without it they say nothing. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os'
import { GiB } from '@openmaas/kernel/units'

function firstLine(file: string, parameters: readonly string[]): string {
  const child = spawnSync(file, parameters, { encoding: 'utf8', cwd: import.meta.dirname })
  return child.status === 0 ? child.stdout.trim().split('\n')[0]! : 'unknown'
}

export interface Machine {
  readonly processor: string
  readonly cores: number
  readonly memoryGiB: number
  readonly kernel: string
  readonly node: string
  readonly commit: string
  readonly loadAtBegin: number
}

export function describeMachine(): Machine {
  const dirty = firstLine('git', ['status', '--porcelain', '--untracked-files=no'])
  const commit = firstLine('git', ['rev-parse', '--short=12', 'HEAD'])
  return {
    processor: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / GiB),
    kernel: release(),
    node: process.version,
    commit: dirty === '' ? commit : `${commit} with changes`,
    loadAtBegin: loadavg()[0]!,
  }
}

/** Mean number of runnable processes of the last minute, ours included. */
export function load(): number {
  return Number(readFileSync('/proc/loadavg', 'latin1').split(' ')[0])
}

export function formatMachine(machine: Machine): string {
  const { processor, cores, memoryGiB, kernel, node, commit, loadAtBegin } = machine
  return (
    `${processor}, ${cores} cores, ${memoryGiB} GiB; Linux ${kernel}; Node ${node}; ` +
    `commit ${commit}; load ${loadAtBegin.toFixed(1)} at the beginning`
  )
}
