/** Which policy holds for a source: the one it names, else the best whose selector matches. */
import { policySpec } from '@openmaas/api/policy'
import type { PolicySpec } from '@openmaas/api/policy'
import { matchesLabels } from '@openmaas/api/permissions'
import type { Labels, LabelSelector } from '@openmaas/api/permissions'
import type { Kysely, Selectable } from 'kysely'
import type { CatalogTables } from '../catalog/schema.ts'

export interface Policy {
  readonly id: string
  readonly name: string
  /** Null: only where a source names it. */
  readonly selector: LabelSelector | null
  readonly priority: number
  readonly enabled: boolean
  readonly version: number
  readonly spec: PolicySpec
}

export function parsePolicy(row: Selectable<CatalogTables['policy']>): Policy {
  return {
    id: row.id,
    name: row.name,
    selector: row.selectorJson === null ? null : (JSON.parse(row.selectorJson) as LabelSelector),
    priority: row.priority,
    enabled: row.enabled === 1,
    version: row.version,
    spec: policySpec.parse(JSON.parse(row.specJson)),
  }
}

export async function loadPolicies(db: Kysely<CatalogTables>): Promise<Policies> {
  const rows = await db.selectFrom('policy').selectAll().execute()
  return new Policies(rows.map((row) => parsePolicy(row)))
}

export class Policies {
  readonly #byId: ReadonlyMap<string, Policy>
  /** Enabled ones with a selector, the one that wins first. */
  readonly #selecting: readonly Policy[]

  constructor(policies: readonly Policy[]) {
    this.#byId = new Map(policies.map((policy) => [policy.id, policy]))
    this.#selecting = policies
      .filter((policy) => policy.enabled && policy.selector !== null)
      .toSorted(
        (first, second) =>
          second.priority - first.priority ||
          (first.name < second.name ? -1 : Number(first.name !== second.name)),
      )
  }

  get all(): readonly Policy[] {
    return [...this.#byId.values()]
  }

  get(id: string): Policy | undefined {
    return this.#byId.get(id)
  }

  /** A source that names a policy has that one or, while it is disabled, none. */
  resolve(source: { readonly policyId: string | null; readonly labels: Labels }): Policy | null {
    if (source.policyId !== null) {
      const named = this.#byId.get(source.policyId)
      return named?.enabled === true ? named : null
    }
    const { labels } = source
    return this.#selecting.find((policy) => matchesLabels(policy.selector, labels)) ?? null
  }
}
