/**
 * Transcripts: command lines, what they print, how they end. Run against the real thing.
 *
 *   # a comment
 *   $ openmaas points            run by sh, in a directory of its own per file
 *   snp_[..]  home               expected on stdout; [..] stands for anything within a line
 *   ...                          any lines
 *   ! error: … (CODE)            expected on stderr
 *   ? 3                          the exit code, when it is not 0
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import type { Needs } from '@openmaas/testkit/requires'

/** A transcript may say in its first lines what it needs: `# needs: root /dev/fuse`. */
export function readNeeds(text: string): Needs {
  const words = /^# needs: (.*)$/m.exec(text)?.[1]?.split(' ') ?? []
  return {
    root: words.includes('root'),
    paths: words.filter((word) => word.startsWith('/')),
    programs: words.filter((word) => word !== 'root' && !word.startsWith('/')),
  }
}

export interface Step {
  readonly line: number
  readonly command: string
  readonly stdout: readonly string[]
  readonly stderr: readonly string[]
  readonly exitCode: number
}

export interface Outcome {
  readonly stdout: string
  readonly stderr: string
  readonly exitCode: number | null
}

export function parseTranscript(text: string): Step[] {
  const steps: {
    line: number
    command: string
    stdout: string[]
    stderr: string[]
    exitCode: number
  }[] = []
  for (const [index, line] of text.split('\n').entries()) {
    if (line.startsWith('#') || (line === '' && steps.at(-1)?.stdout.at(-1) === undefined)) continue
    if (line.startsWith('$ ')) {
      steps.push({ line: index + 1, command: line.slice(2), stdout: [], stderr: [], exitCode: 0 })
      continue
    }
    const step = steps.at(-1)
    if (step === undefined) throw new Error(`line ${index + 1} comes before any command`)
    if (line.startsWith('> ')) step.command += `\n${line.slice(2)}`
    else if (line.startsWith('? ')) step.exitCode = Number(line.slice(2))
    else if (line.startsWith('! ')) step.stderr.push(line.slice(2))
    else step.stdout.push(line)
  }
  // A blank line between two commands is for the reader.
  for (const step of steps) while (step.stdout.at(-1) === '') step.stdout.pop()
  return steps
}

/** What a user's shell would have, and nothing of the developer's own. */
export function transcriptEnvironment(directory: string): NodeJS.ProcessEnv {
  const root = path.resolve(import.meta.dirname, '../../..')
  mkdirSync(path.join(directory, 'home'), { recursive: true })
  return {
    PATH: `${root}:${path.dirname(process.execPath)}:${process.env['PATH'] ?? ''}`,
    HOME: path.join(directory, 'home'),
    // Compiled once for all: each directory has a home of its own.
    NODE_COMPILE_CACHE: path.join(root, 'node_modules/.cache/openmaas-tests'),
    OPENMAAS_NODE: process.execPath,
    OPENMAAS_POOL: path.join(directory, 'pool'),
    OPENMAAS_PASSPHRASE_FILE: path.join(directory, 'passphrase'),
    LC_ALL: 'C',
    TZ: 'UTC',
  }
}

/** Longer than any command of a transcript takes on a busy machine. */
const TIMEOUT_MS = 120_000

export function runStep(step: Step, directory: string): Outcome {
  const result = spawnSync('/bin/sh', ['-c', step.command], {
    cwd: directory,
    env: transcriptEnvironment(directory),
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
    input: '',
  })
  return { stdout: result.stdout, stderr: result.stderr, exitCode: result.status }
}

/** @returns what differs, or undefined */
export function compare(step: Step, outcome: Outcome): string | undefined {
  const problems: string[] = []
  if (outcome.exitCode !== step.exitCode) {
    problems.push(`exit code ${outcome.exitCode}, expected ${step.exitCode}`)
  }
  if (!matches(step.stdout, outcome.stdout)) problems.push(`stdout:\n${outcome.stdout}`)
  if (!matches(step.stderr, outcome.stderr)) problems.push(`stderr:\n${outcome.stderr}`)
  if (problems.length === 0) return undefined
  const expected = [...step.stdout, ...step.stderr.map((line) => `! ${line}`)].join('\n')
  return `line ${step.line}: $ ${step.command}\n${problems.join('\n')}\nexpected:\n${expected}`
}

function matches(expected: readonly string[], output: string): boolean {
  const lines = output === '' ? [] : output.replace(/\n$/, '').split('\n')
  const pattern = expected
    .map((line) => (line === '...' ? '(?:.*\n)*?' : `${lineSource(line)}\n`))
    .join('')
  return new RegExp(`^${pattern}$`).test(lines.map((line) => `${line}\n`).join(''))
}

function lineSource(line: string): string {
  return line
    .split('[..]')
    .map((part) => part.replaceAll(/[\\^$.|?*+()[\]{}]/g, '\\$&'))
    .join('.*')
}
