/**
 * One run of the program: choose language and command, make the site, run, report, exit code.
 * The first SIGINT, SIGTERM or SIGHUP cancels and lets the command leave a consistent state; the
 * second ends the process at once, which is safe too, because everything survives kill -9.
 */
import { isMaasError, MaasError } from '@openmaas/kernel/errors'
import { isatty as isTerminal } from 'node:tty'
import { systemClock } from '@openmaas/kernel/clock'
import { chooseLanguage, type Language } from '../messages/language.ts'
import { loadText } from '../messages/text.ts'
import { type Input, parseInput } from './input.ts'
import { Output, type OutputOptions, writeAll } from './output.ts'
import { reportError } from './report-error.ts'
import { type Resolved, resolveCommand } from './resolve.ts'
import { Settings } from './settings.ts'
import type { Site } from './site.ts'
import { COMMANDS, GLOBAL_OPTIONS } from './tree.ts'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
const EXIT_INTERRUPTED = 130
/** As a shell reports a process that SIGPIPE ended: the reader of the pipe has gone. */
const EXIT_PIPE_CLOSED = 141
const STDOUT = 1
const STDERR = 2

/** @returns the exit code of CONVENTIONS.md, section 3 */
export async function runProgram(self: NodeJS.Process): Promise<number> {
  const args = self.argv.slice(2)
  const canceller = new AbortController()
  const onSignal = (): void => {
    if (canceller.signal.aborted) self.exit(EXIT_INTERRUPTED)
    canceller.abort(new MaasError('CANCELLED', 'interrupted'))
  }
  for (const signal of SIGNALS) self.on(signal, onSignal)
  try {
    return await runOnce(self, args, canceller.signal)
  } finally {
    for (const signal of SIGNALS) self.off(signal, onSignal)
  }
}

async function runOnce(
  self: NodeJS.Process,
  args: readonly string[],
  signal: AbortSignal,
): Promise<number> {
  const { env } = self
  // Before anything is parsed, errors need a voice already.
  const isJson = args.includes('--json')
  let language: Language = chooseLanguage(undefined, env)
  let out = new Output(
    outputOptions(self, { json: isJson, quiet: false, color: useColor(self, args) }),
  )
  let text = await loadText(language)
  try {
    const { command, rest } = resolveCommand(args)
    const spec = command ?? COMMANDS.find((candidate) => candidate.path === 'help')!
    const input = parseInput(spec, GLOBAL_OPTIONS, rest)
    const settings = new Settings(input, env)
    const wanted = chooseLanguage(settings.get('lang'), env)
    if (wanted !== language) {
      language = wanted
      text = await loadText(language)
    }
    out = new Output(
      outputOptions(self, {
        json: input.has('json'),
        quiet: input.has('quiet'),
        color: useColor(self, args),
      }),
    )
    const site: Site = {
      out,
      text,
      language,
      settings,
      clock: systemClock,
      directory: self.cwd(),
      env,
      signal,
    }
    const code = await runCommand({ command, rest }, input, site)
    out.clearProgress()
    out.flush()
    return code
  } catch (error) {
    if (isClosedPipe(error)) return EXIT_PIPE_CLOSED
    return reportFailure(error, out, { language, text, verbose: isVerbose(args) }, signal)
  }
}

async function runCommand(resolved: Resolved, input: Input, site: Site): Promise<number> {
  const { command } = resolved
  if (input.has('version')) {
    const { runVersion } = await import('../commands/version.ts')
    return runVersion(site)
  }
  if (command === undefined || input.has('help')) {
    const { showHelp } = await import('../commands/help.ts')
    const words = command?.path === 'help' ? input.positionals : []
    return showHelp(command?.path === 'help' ? undefined : command, words, site)
  }
  const { run } = await command.load()
  return (await run(input, site)) ?? 0
}

function reportFailure(
  error: unknown,
  out: Output,
  options: Parameters<typeof reportError>[2],
  signal: AbortSignal,
): number {
  // Whatever a cancelled run ends with, the cause is the cancelling.
  const cancelled = signal.aborted && !isMaasError(error, 'CANCELLED') && isAbort(error)
  try {
    return reportError(cancelled ? signal.reason : error, out, options)
  } catch (second) {
    if (isClosedPipe(second)) return EXIT_PIPE_CLOSED
    // Nowhere to tell it: the exit code still does.
    if (isMaasError(second)) return isMaasError(error) ? error.exitCode : second.exitCode
    throw second
  }
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError'
}

function isClosedPipe(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.code === 'EPIPE'
}

function isVerbose(args: readonly string[]): boolean {
  return args.includes('--verbose') || args.includes('-v')
}

/** https://no-color.org: set to anything but nothing means no colour. */
function useColor(self: NodeJS.Process, args: readonly string[]): boolean {
  const { NO_COLOR, TERM } = self.env
  if (args.includes('--no-color') || (NO_COLOR !== undefined && NO_COLOR !== '')) return false
  return TERM !== 'dumb' && isTerminal(STDOUT) && isTerminal(STDERR)
}

function outputOptions(
  self: NodeJS.Process,
  chosen: Pick<OutputOptions, 'json' | 'quiet' | 'color'>,
): OutputOptions {
  const columns = Number(self.env['COLUMNS']) || 80
  return {
    ...chosen,
    isTerminal: isTerminal(STDOUT),
    errorIsTerminal: isTerminal(STDERR),
    get columns() {
      // The stream is made only when a progress line is drawn: it costs milliseconds.
      return isTerminal(STDERR) ? self.stderr.columns || columns : columns
    },
    write: (bytes) => writeAll(STDOUT, bytes),
    writeError: (bytes) => writeAll(STDERR, bytes),
  }
}
