/**
 * Failures on their way to a caller: RFC 9457 problems, made of the one error table. The title
 * and the hint are in the caller's language; the detail names ids and numbers and stays English.
 */
import { ERROR_CATEGORIES, ERRORS } from '@openmaas/kernel/errors'
import type { ErrorCategory, ErrorCode, MaasError } from '@openmaas/kernel/errors'
import type { Problem } from './resources/common.ts'

export type Language = 'en' | 'zh'

/** Where HTTP has a more exact status than the category. */
const STATUS_OF: Partial<Record<ErrorCode, number>> = {
  REQUEST_INVALID: 422,
  REQUEST_TOO_LARGE: 413,
  REQUEST_RATE_EXCEEDED: 429,
  AUTH_REQUIRED: 401,
  LOGIN_FAILED: 401,
  LOGIN_THROTTLED: 429,
  SECOND_FACTOR_REQUIRED: 401,
  PRECONDITION_MISSING: 428,
  PRECONDITION_FAILED: 412,
  IDEMPOTENCY_MISMATCH: 422,
  PASSWORD_UNFIT: 422,
  CONSENT_MISSING: 422,
}

const TITLES: Readonly<Record<ErrorCategory, { en: string; zh: string }>> = {
  invalid: { en: 'The request cannot be understood', zh: '请求无效' },
  denied: { en: 'Not allowed', zh: '不允许的操作' },
  not_found: { en: 'Not found', zh: '未找到' },
  conflict: { en: 'In conflict with how things stand', zh: '与当前状态冲突' },
  cancelled: { en: 'Cancelled', zh: '已取消' },
  exhausted: { en: 'A limit has been reached', zh: '已达上限' },
  unavailable: { en: 'Not available at the moment', zh: '暂时不可用' },
  unsupported: { en: 'Not supported', zh: '不支持' },
  corrupt: { en: 'Damaged data or a fault of the server', zh: '数据损坏或服务器故障' },
}

/** Damage and bugs tell the log everything, and the caller nothing but where to look. */
const INTERNAL_DETAIL = {
  en: 'the server failed; its log has the cause',
  zh: '服务器出错,原因见日志',
}

export function statusOf(code: ErrorCode): number {
  return STATUS_OF[code] ?? ERROR_CATEGORIES[ERRORS[code].category].http
}

/** `zh` for any Chinese that is preferred to English; otherwise `en`. */
export function languageOf(acceptLanguage: string | undefined): Language {
  let best: { language: Language; weight: number } = { language: 'en', weight: 0 }
  for (const part of (acceptLanguage ?? '').slice(0, 1000).split(',')) {
    const [range = '', ...parameters] = part.trim().toLowerCase().split(';')
    const quality = parameters.find((parameter) => parameter.trim().startsWith('q='))
    const weight = quality === undefined ? 1 : Number(quality.trim().slice(2))
    const language = range.startsWith('zh') ? 'zh' : range.startsWith('en') ? 'en' : undefined
    if (language !== undefined && weight > best.weight) best = { language, weight }
  }
  return best.language
}

export interface ProblemContext {
  readonly language: Language
  /** Path of the request, without its query, which may hold what is nobody's business. */
  readonly instance?: string
  readonly requestId?: string
  /** Places of the request that are wrong. */
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[]
}

export function toProblem(error: MaasError, context: ProblemContext): Problem {
  const { language, instance, requestId, errors } = context
  const { pointer, ...details } = error.details
  const internal = error.code === 'INTERNAL'
  const places = errors ?? (typeof pointer === 'string' ? [{ pointer, detail: error.message }] : [])
  return {
    type: `/api/docs/errors#${error.code}`,
    title: TITLES[error.category][language],
    status: statusOf(error.code),
    detail: internal ? INTERNAL_DETAIL[language] : error.message,
    ...(instance !== undefined && { instance }),
    code: error.code,
    hint: error.hint(language),
    docs: `/api/docs/errors#${error.code}`,
    ...(requestId !== undefined && { requestId }),
    ...(!internal && Object.keys(details).length > 0 && { details }),
    ...(places.length > 0 && { errors: [...places] }),
  }
}
