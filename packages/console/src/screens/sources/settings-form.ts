/** Between a source and the form that changes it. */
import type { Source } from '@openmaas/api/resources/source'
import type { BodyFor } from '@openmaas/api/routes/routes'

export interface Settings {
  readonly name: string
  readonly labels: Record<string, string>
  readonly policyId: string | null
  readonly poolId: string | null
  /** One rule a line; empty lines are dropped when it is saved, not while it is typed. */
  readonly include: readonly string[]
  readonly exclude: readonly string[]
  readonly oneFileSystem: boolean
  /** MiB per second, as typed; empty: no limit. */
  readonly rate: string
}

const MIB = 1024 * 1024

export function toSettings(source: Source): Settings {
  const { include, exclude, oneFileSystem, bytesPerSecond } = source.options
  return {
    name: source.name,
    labels: { ...source.labels },
    policyId: source.policyId,
    poolId: source.poolId,
    include,
    exclude,
    oneFileSystem,
    rate: bytesPerSecond === null ? '' : String(Number((bytesPerSecond / MIB).toFixed(2))),
  }
}

export function isRate(text: string): boolean {
  return text.trim() === '' || (Number(text) > 0 && Number.isFinite(Number(text)))
}

/** "20" MiB/s → 20,971,520; null: no limit. */
export function rateOf(text: string): number | null {
  return text.trim() === '' ? null : Math.max(1, Math.round(Number(text) * MIB))
}

export function rulesOf(text: string): string[] {
  return text === '' ? [] : text.split('\n')
}

const withoutEmpty = (rules: readonly string[]): string[] =>
  rules.map((rule) => rule.trim()).filter((rule) => rule !== '')

/** What is not in the form stays. */
export function toSourceChange(form: Settings, source: Source): BodyFor<'changeSource'> {
  return {
    name: form.name.trim(),
    labels: form.labels,
    policyId: form.policyId,
    poolId: form.poolId,
    options: {
      ...source.options,
      include: withoutEmpty(form.include),
      exclude: withoutEmpty(form.exclude),
      oneFileSystem: form.oneFileSystem,
      bytesPerSecond: rateOf(form.rate),
    },
  }
}
