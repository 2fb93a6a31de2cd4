/**
 * Compares what the rules find with the alerts that are open.
 *
 *   (nothing) ──found──▶ firing ──not found any more──▶ resolved
 *                         │  ▲
 *                         └──┘ found again: seen; told again only when it got worse
 *
 * A group of rules that fails says nothing: its alerts stay as they are, and the others go on.
 */
import type { Catalog } from '../../catalog/catalog.ts'
import { changeAlert, listFiring, openAlert, resolveAlert, saveSeen } from './alert-repository.ts'
import type { AlertRow, AlertServices } from './alert-repository.ts'
import { keyOf } from './alert-rules.ts'
import type { AlertRule, Finding } from './alert-rules.ts'
import { RULE_GROUPS } from './rule-groups.ts'
import type { RuleContext } from './rule-group.ts'

export interface EvaluatorOptions extends AlertServices {
  readonly catalog: Catalog
  readonly onError: (error: unknown) => void
}

/** Of one rule: more of a kind help nobody; the rest is told when some of these have ended. */
export const FINDINGS_MAX = 2000
/** Rows of one transaction: others want to write too. */
const BATCH = 50
const SEEN_BATCH = 500

interface Changes {
  readonly opened: Finding[]
  readonly changed: { readonly row: AlertRow; readonly finding: Finding }[]
  readonly seen: AlertRow[]
  readonly resolved: AlertRow[]
}

export interface Evaluated {
  readonly opened: number
  readonly resolved: number
}

export class Evaluator {
  readonly #options: EvaluatorOptions

  constructor(options: EvaluatorOptions) {
    this.#options = options
  }

  async evaluate(context: Omit<RuleContext, 'firing'>): Promise<Evaluated> {
    const { catalog, onError } = this.#options
    const rows = await listFiring(catalog.db)
    const firing = new Map(rows.map((row) => [row.key, row]))
    const asked: RuleContext = { ...context, firing }
    const findings: Finding[] = []
    const failed = new Set<AlertRule>()
    for (const group of RULE_GROUPS) {
      try {
        findings.push(...limited(await group.find(asked)))
      } catch (error) {
        onError(error)
        for (const rule of group.rules) failed.add(rule)
      }
    }
    const kept = rows.filter((row) => !failed.has(row.rule as AlertRule))
    const changes = compare(kept, findings)
    await this.#apply(changes)
    return { opened: changes.opened.length, resolved: changes.resolved.length }
  }

  async #apply({ opened, changed, seen, resolved }: Changes): Promise<void> {
    const services = this.#options
    await this.#each(opened, (trx, finding) => openAlert(trx, services, finding))
    await this.#each(changed, (trx, { row, finding }) => changeAlert(trx, services, row, finding))
    await this.#each(resolved, (trx, row) => resolveAlert(trx, services, row))
    const now = services.clock.wallMs()
    for (let i = 0; i < seen.length; i += SEEN_BATCH) {
      const ids = seen.slice(i, i + SEEN_BATCH).map(({ id }) => id)
      await services.catalog.transaction((trx) => saveSeen(trx, ids, now))
    }
  }

  async #each<T>(
    items: readonly T[],
    body: (trx: Parameters<typeof openAlert>[0], item: T) => Promise<unknown>,
  ): Promise<void> {
    for (let i = 0; i < items.length; i += BATCH) {
      await this.#options.catalog.transaction(async (trx) => {
        for (const item of items.slice(i, i + BATCH)) await body(trx, item)
      })
    }
  }
}

function limited(findings: readonly Finding[]): Finding[] {
  const counts = new Map<AlertRule, number>()
  return findings.filter(({ rule }) => {
    const count = (counts.get(rule) ?? 0) + 1
    counts.set(rule, count)
    return count <= FINDINGS_MAX
  })
}

function compare(rows: readonly AlertRow[], findings: readonly Finding[]): Changes {
  const open = new Map(rows.map((row) => [row.key, row]))
  const changes: Changes = { opened: [], changed: [], seen: [], resolved: [] }
  const found = new Set<string>()
  for (const finding of findings) {
    const key = keyOf(finding)
    if (found.has(key)) continue
    found.add(key)
    const row = open.get(key)
    if (row === undefined) changes.opened.push(finding)
    else if (isSame(row, finding)) changes.seen.push(row)
    else changes.changed.push({ row, finding })
  }
  changes.resolved.push(...rows.filter((row) => !found.has(row.key)))
  return changes
}

function isSame(row: AlertRow, finding: Finding): boolean {
  return (
    row.severity === finding.severity &&
    row.paramsJson === JSON.stringify(finding.params) &&
    row.labelsJson === JSON.stringify(finding.labels)
  )
}
