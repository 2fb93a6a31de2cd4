/** How a failure is told: a line and a hint for people, one JSON object for programs. */
import { toMaasError } from '@openmaas/kernel/error-message'
import type { MaasError } from '@openmaas/kernel/errors'
import { printable } from '../format/width.ts'
import { chineseProblem } from '../messages/chinese-problems.ts'
import type { Language } from '../messages/language.ts'
import type { Text } from '../messages/text.ts'
import type { Output } from './output.ts'

/** A chain of causes longer than this is a loop. */
const CAUSES_MAX = 20

export interface ReportOptions {
  readonly language: Language
  readonly text: Text
  readonly verbose: boolean
}

/**
 * Writes to stderr; with --json one object `{"error":{code,message,details,hint,exitCode}}`.
 *
 * @returns the exit code
 */
export function reportError(error: unknown, out: Output, options: ReportOptions): number {
  const known = toMaasError(error)
  const hint = known.hint(options.language)
  const { code, message, exitCode } = known
  if (out.json) {
    const body = { code, message, details: known.details, hint, exitCode }
    out.error(JSON.stringify({ error: body }))
    return exitCode
  }
  const label = out.paint('red', options.text('error.label'))
  const said = options.language === 'zh' ? chineseProblem(known) : message
  out.error(`${label} ${printable(said)} (${code})`)
  for (const line of remediesOf(known.details)) out.error(`  ${line}`)
  out.error(`${out.paint('dim', options.text('hint.label'))} ${hint}`)
  // A bug is reported with its trace in any case: there may be no second time.
  if (options.verbose || code === 'INTERNAL') {
    for (const line of describeCauses(error, known)) out.error(line)
  }
  return exitCode
}

/** Of a database that cannot be protected yet: each thing that is missing, with its SQL. */
export function remediesOf(details: Readonly<Record<string, unknown>> | undefined): string[] {
  const checks = details?.['checks']
  if (!Array.isArray(checks)) return []
  return checks.flatMap((each) => String(each).split('\n')).map((line) => printable(line))
}

function describeCauses(error: unknown, known: MaasError): string[] {
  const lines: string[] = []
  const details = JSON.stringify(known.details)
  if (details !== '{}') lines.push(`  details ${details}`)
  let current: unknown = error
  for (let depth = 0; current !== undefined && depth < CAUSES_MAX; depth += 1) {
    const trace =
      current instanceof Error ? (current.stack ?? current.message) : JSON.stringify(current)
    lines.push(
      ...`${depth === 0 ? '' : 'caused by '}${trace}`.split('\n').map((line) => `  ${line}`),
    )
    current = current instanceof Error ? current.cause : undefined
  }
  return lines
}
