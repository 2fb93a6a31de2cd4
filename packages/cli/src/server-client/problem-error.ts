/** What a server refused, as an error that the program reports like its own. */
import { ApiError } from '@openmaas/api/client'
import type { Problem } from '@openmaas/api/resources/common'
import { ERRORS, MaasError } from '@openmaas/kernel/errors'
import type { ErrorCategory, ErrorCode, ErrorDetails } from '@openmaas/kernel/errors'
import type { Input } from '../program/input.ts'
import { wordFor } from './field-words.ts'

/** Places named in one line; the others come with --json. */
const FIELDS_SHOWN_MAX = 8

/** The code may be one that only a newer server knows; hint and exit code are then the server's. */
export class ProblemError extends MaasError {
  readonly #error: ApiError

  /** @param input of the command: its options are what the person has written */
  constructor(error: ApiError, input?: Input) {
    const { problem } = error
    super(problem.code as ErrorCode, describe(problem, input), detailsOf(problem), { cause: error })
    this.#error = error
  }

  override get category(): ErrorCategory {
    return this.#error.category
  }

  override get exitCode(): number {
    return this.#error.exitCode
  }

  override hint(language: 'en' | 'zh'): string {
    if (this.code === 'ROUTE_NOT_FOUND') return OLDER_SERVER[language]
    const known = Object.hasOwn(ERRORS, this.code)
    return known ? super.hint(language) : this.#error.problem.hint
  }
}

/** Commands ask only for what there is, so it is the server that has it not yet. */
const OLDER_SERVER = {
  en: 'The server does not know this yet: bring it to the version of this command.',
  zh: '服务器尚不支持此操作：请将其升级到与本命令相同的版本。',
} as const

function describe({ detail, title, errors = [] }: Problem, input: Input | undefined): string {
  const shown = errors.slice(0, FIELDS_SHOWN_MAX)
  const fields = shown.map(({ pointer, detail: why }) => `${wordFor(pointer, input)}: ${why}`)
  const rest = errors.length > shown.length ? [`${errors.length - shown.length} more`] : []
  // The detail of a problem with places is that of the first one.
  const isFirst = shown.some(
    ({ pointer, detail: why }) => detail === `${pointer}: ${why}` || detail === why,
  )
  return [...(isFirst ? [] : [detail || title]), ...fields, ...rest].join('; ')
}

function detailsOf(problem: Problem): ErrorDetails {
  const fields = (problem.errors ?? []).map(({ pointer, detail }) => `${pointer} ${detail}`)
  const { requestId } = problem
  return {
    ...(problem.details as ErrorDetails | undefined),
    status: problem.status,
    ...(requestId !== undefined && { requestId }),
    ...(fields.length > 0 && { fields }),
  }
}

/** Runs it and translates what the server refused. */
export async function translated<T>(work: () => Promise<T>, input?: Input): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw error instanceof ApiError ? new ProblemError(error, input) : error
  }
}
