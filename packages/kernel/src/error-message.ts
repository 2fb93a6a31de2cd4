/**
 * Errors on their way across a thread, process or program boundary: made plain, made errors
 * again, and given a code of the table where Node's own reached the edge.
 */
import { type ErrorCode, type ErrorDetails, MaasError } from './errors.ts'
import { fsError } from './fs-errors.ts'

/** The plain object that crosses; see `reviveError`. */
export interface ErrorMessage {
  readonly code: ErrorCode
  readonly message: string
  readonly details: ErrorDetails
  readonly stack?: string | undefined
}

export function errorToMessage(thrown: unknown): ErrorMessage {
  const error = toMaasError(thrown)
  const { code, message, details } = error
  const { stack } = error.cause instanceof Error ? error.cause : error
  return { code, message, details, stack }
}

export function reviveError(message: ErrorMessage): MaasError {
  const error = new MaasError(message.code, message.message, message.details)
  if (message.stack !== undefined) error.stack = message.stack
  return error
}

/** FS_* for a system call that failed where nobody expected it, INTERNAL for all else. */
export function toMaasError(thrown: unknown): MaasError {
  if (thrown instanceof MaasError) return thrown
  const error = thrown instanceof Error ? thrown : new Error(String(thrown))
  const { code, syscall, path } = error as NodeJS.ErrnoException
  if (syscall !== undefined && code?.startsWith('E') === true && !code.startsWith('ERR_')) {
    return fsError(code, syscall, path, error)
  }
  return new MaasError('INTERNAL', error.message, {}, { cause: error })
}
