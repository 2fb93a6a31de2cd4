/** What a server refused, as an error that the program reports like its own. */
import { ApiError } from '@openmaas/api/client'
import type { Problem } from '@openmaas/api/resources/common'
import { ERRORS, MaasError } from '@openmaas/kernel/errors'
import type { ErrorCategory, ErrorCode, ErrorDetails } from '@openmaas/kernel/errors'

/** Fields named in one line; the others come with --json. */
const FIELDS_SHOWN_MAX = 8

/** The code may be one that only a newer server knows; hint and exit code are then the server's. */
export class ProblemError extends MaasError {
  readonly #error: ApiError

  constructor(error: ApiError) {
    const { problem } = error
    super(problem.code as ErrorCode, describe(problem), detailsOf(problem), { cause: error })
    this.#error = error
  }

  override get category(): ErrorCategory {
    return this.#error.category
  }

  override get exitCode(): number {
    return this.#error.exitCode
  }

  override hint(language: 'en' | 'zh'): string {
    const known = Object.hasOwn(ERRORS, this.code)
    return known ? super.hint(language) : this.#error.problem.hint
  }
}

function describe({ detail, title, errors = [] }: Problem): string {
  const shown = errors.slice(0, FIELDS_SHOWN_MAX)
  // The detail of a problem with one field already is that field's.
  const fields = shown
    .filter(({ pointer, detail: why }) => detail !== `${pointer}: ${why}` && detail !== why)
    .map(({ pointer, detail: why }) => `${pointer} ${why}`)
  const rest = errors.length > shown.length ? [`${errors.length - shown.length} more`] : []
  return [detail || title, ...fields, ...rest].join('; ')
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
export async function translated<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw error instanceof ApiError ? new ProblemError(error) : error
  }
}
