/**
 * What the schemas of all nouns are made of. Times are RFC 3339 in UTC, sizes bytes, durations
 * carry their unit in the name. Answers tolerate what a newer server adds; requests are strict,
 * so that a misspelt field is an error and not ignored.
 */
import { z } from 'zod'
import { type ControlKind, idPattern } from '../ids.ts'
import { NAME_LENGTH_MAX } from '../object-name.ts'

export { NAME_LENGTH_MAX }

/** PATH_MAX of Linux. */
export const PATH_LENGTH_MAX = 4096
export const TEXT_LENGTH_MAX = 4096
/** Labels of one object. Selectors and scopes are evaluated on every list. */
export const LABEL_COUNT_MAX = 64
/** Items of a page. */
export const PAGE_LIMIT_MAX = 1000
export const PAGE_LIMIT_DEFAULT = 50
/** Of a filter: 200 ids, as many as a page of the console; an address has 16 KiB. */
const IDS_LENGTH_MAX = 7000

// A line break or escape in a name would forge lines of logs and terminals.
// oxlint-disable-next-line no-control-regex -- control characters are what it refuses
const PRINTABLE = /^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$/
/** PostgreSQL's text cannot hold it, and no path has it. */
// oxlint-disable-next-line no-control-regex -- see above
const WITHOUT_NUL = /^[^\u0000]*$/

export const idOf = (kind: ControlKind | 'pool') => z.string().regex(idPattern(kind))
/** Several ids, separated by commas: those of one page. */
export const idsOf = (kind: ControlKind | 'pool') => {
  const one = idPattern(kind).source.slice(1, -1)
  return z
    .string()
    .max(IDS_LENGTH_MAX)
    .regex(new RegExp(`^${one}(?:,${one})*$`))
}
export const nameText = z.string().min(1).max(NAME_LENGTH_MAX).regex(PRINTABLE)
export const pathText = z.string().max(PATH_LENGTH_MAX).regex(WITHOUT_NUL)
export const lineText = z.string().max(TEXT_LENGTH_MAX).regex(PRINTABLE)
export const freeText = z.string().max(TEXT_LENGTH_MAX).regex(WITHOUT_NUL)
export const absolutePath = pathText.regex(/^\//)

export const time = z.iso.datetime({ offset: true }).meta({ examples: ['2026-11-22T14:03:07Z'] })
/** What time a resource shows; requests take `time`. */
export const timeOrNull = z.iso.datetime().nullable()
export const timeShown = z.iso.datetime()
export const count = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER)
export const version = count.meta({ description: 'Counts up with every change; also the ETag.' })

const labelKey = z
  .string()
  .max(63)
  .regex(/^[A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9])?$/)
const labelValue = z.string().max(NAME_LENGTH_MAX).regex(PRINTABLE)

export const labels = z
  .record(labelKey, labelValue)
  .refine((map) => Object.keys(map).length <= LABEL_COUNT_MAX, `at most ${LABEL_COUNT_MAX} labels`)
  .meta({ examples: [{ env: 'prod', team: 'shop' }] })
export type Labels = z.infer<typeof labels>

/** All keys must match; a list means any of its values. */
export const labelSelector = z
  .record(labelKey, z.union([labelValue, z.array(labelValue).min(1).max(LABEL_COUNT_MAX)]))
  .refine((map) => Object.keys(map).length <= LABEL_COUNT_MAX, `at most ${LABEL_COUNT_MAX} keys`)
  .meta({ examples: [{ env: ['prod', 'stage'] }] })

/** A page of a list. `total` is given only where counting is cheap. */
export const pageOf = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), next: z.string().nullable(), total: count.optional() })

/** A dangerous verb: the name of the object typed again, and why. */
export const danger = z.strictObject({
  confirm: nameText.meta({ description: 'The name of the object, typed again.' }),
  reason: lineText.min(3),
  approvalId: idOf('approval').optional(),
})

export const fieldProblem = z.object({
  pointer: z.string().meta({ description: 'RFC 6901, into the body; or /query/…, /params/…' }),
  detail: z.string(),
})

/** RFC 9457. */
export const problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    detail: z.string(),
    instance: z.string().optional(),
    code: z.string(),
    hint: z.string(),
    docs: z.string(),
    requestId: z.string().optional(),
    details: z.record(z.string(), z.unknown()).optional(),
    errors: z.array(fieldProblem).optional(),
  })
  .meta({ id: 'Problem' })
export type Problem = z.infer<typeof problem>

/** What is kept of a problem in a job, step or medium. */
export const failure = z
  .object({
    code: z.string(),
    message: z.string(),
    hint: z.string().optional(),
    details: z.record(z.string(), z.unknown()).optional(),
  })
  .meta({ id: 'Failure' })

/** What a destructive verb would do, for `?dryRun=true`. */
export const plan = z
  .object({
    plan: z.array(
      z.object({
        action: z.string(),
        object: z.string(),
        name: z.string().optional(),
        detail: z.string().optional(),
      }),
    ),
    freesBytes: count.optional(),
    warnings: z.array(z.string()),
  })
  .meta({ id: 'Plan' })
