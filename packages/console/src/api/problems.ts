/** Failures as the console shows them: the server's problem, or what the browser saw itself. */
import { ApiError } from '@openmaas/api/client'
import { MaasError } from '@openmaas/kernel/errors'
import { currentLanguage } from '../i18n/i18n.ts'

export interface ShownProblem {
  /** Of the server, in the language asked for; null for what it did not say. */
  readonly title: string | null
  readonly detail: string
  readonly hint: string | null
  readonly code: string
  readonly requestId: string | null
  readonly status: number | null
  /** Places of the request that are wrong: `/body/name`. */
  readonly fields: readonly { readonly pointer: string; readonly detail: string }[]
}

/** A bug of the console throws what it likes; it is shown rather than swallowed. */
export function toShownProblem(error: unknown): ShownProblem {
  if (error instanceof ApiError) {
    const { title, detail, hint, code, requestId, status, errors } = error.problem
    return { title, detail, hint, code, requestId: requestId ?? null, status, fields: errors ?? [] }
  }
  const nothing = { title: null, requestId: null, status: null, fields: [] }
  if (error instanceof MaasError) {
    const hint = error.hint(currentLanguage() === 'zh-CN' ? 'zh' : 'en')
    return { ...nothing, detail: error.message, hint, code: error.code }
  }
  const detail = error instanceof Error ? error.message : String(error)
  return { ...nothing, detail, hint: null, code: 'CONSOLE' }
}

export function isDenied(error: unknown): boolean {
  return (
    error instanceof ForbiddenPage || (error instanceof ApiError && error.problem.status === 403)
  )
}

export function isNotFound(error: unknown): boolean {
  return error instanceof ApiError && error.problem.status === 404
}

/** Thrown before a page loads that the person may not see. */
export class ForbiddenPage extends Error {
  override readonly name = 'ForbiddenPage'
}
