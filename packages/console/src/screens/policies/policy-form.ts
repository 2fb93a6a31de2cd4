/** Between a policy and the form that makes or changes one. */
import type { z } from 'zod'
import { durationMs, durationText, policySpec, type PolicySpec } from '@openmaas/api/policy'
import type { Policy } from '@openmaas/api/resources/policy'
import type { BodyFor } from '@openmaas/api/routes/routes'
import { selectorTexts, toSelector } from './selector-text.ts'

export interface PolicyForm {
  readonly name: string
  readonly enabled: boolean
  readonly selector: readonly string[]
  readonly priority: number
  /** What the form does not show stays as it is. */
  readonly spec: PolicySpec
}

export function toForm(policy: Policy): PolicyForm {
  const { name, enabled, selector, priority, spec } = policy
  return { name, enabled, selector: selectorTexts(selector), priority, spec }
}

/** A day, kept for a week and some months: nobody is sorry about it. */
export const NEW_POLICY: PolicyForm = {
  name: '',
  enabled: true,
  selector: [],
  priority: 0,
  spec: policySpec.parse({ rpo: '1d', timezone: localTimezone() }),
}

function localTimezone(): string {
  return new Intl.DateTimeFormat('en').resolvedOptions().timeZone
}

export function toPolicyBody(form: PolicyForm): BodyFor<'createPolicy'> {
  const { name, enabled, selector, priority, spec } = form
  return { name: name.trim(), enabled, selector: toSelector(selector), priority, spec }
}

/** What is wrong with the spec, by its field: `rpo`, `retention`, `cron`. */
export function specProblems(spec: PolicySpec): ReadonlyMap<string, string> {
  const parsed = policySpec.safeParse(spec)
  if (parsed.success) return new Map()
  return new Map(parsed.error.issues.map((issue) => [issueField(issue), issue.message]))
}

const issueField = ({ path }: z.core.$ZodIssue): string => String(path[0] ?? '')

/** As control/policy/handlers.ts has it: then the server wants to know why. */
export function isWeaker(before: Policy, after: PolicyForm): boolean {
  if (before.enabled && !after.enabled) return true
  const [kept, keeps] = [before.spec.retention, after.spec.retention]
  const rules = Object.keys(kept) as (keyof typeof kept)[]
  return (
    rules.some((rule) => keeps[rule] < kept[rule]) || after.spec.lockDays < before.spec.lockDays
  )
}

export const UNITS = ['m', 'h', 'd', 'w'] as const
export type Unit = (typeof UNITS)[number]

export interface Amount {
  readonly count: number
  readonly unit: Unit
}

/** "90s" and other odd ones are rounded to a minute, which is the least that a form asks for. */
export function toAmount(duration: string): Amount {
  const text = durationText(Math.max(60_000, Math.round(durationMs(duration) / 60_000) * 60_000))
  return { count: Number(text.slice(0, -1)), unit: text.slice(-1) as Unit }
}

export function toDuration({ count, unit }: Amount): string {
  return `${count}${unit}`
}
