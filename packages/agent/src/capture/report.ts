/** What the lanes have to report besides the tree: owners by name, and warnings. */
import { groupName, userName } from '@openmaas/kernel/posix/identity'
import type { SnapshotManifest } from '@openmaas/pool/pool/types'
import type { CoordinatorResult } from './coordinator.ts'
import type { LaneReport } from './messages.ts'
import { type CaptureWarning, WARNINGS_KEPT_MAX } from './types.ts'

/** Warnings named in the manifest: it has to fit one chunk whatever their paths are. */
const MANIFEST_WARNINGS_MAX = 100

export function ownerNames(
  reports: readonly LaneReport[],
): Required<Pick<SnapshotManifest, 'users' | 'groups'>> {
  return {
    users: namesOf(
      reports.flatMap(({ uids }) => uids),
      userName,
    ),
    groups: namesOf(
      reports.flatMap(({ gids }) => gids),
      groupName,
    ),
  }
}

export function manifestWarnings(captured: CoordinatorResult): {
  count: number
  first: string[]
} {
  const { warnings, warningCount } = collectWarnings(captured)
  const first = warnings
    .slice(0, MANIFEST_WARNINGS_MAX)
    .map(({ path, message }) => `${path}: ${message}`)
  return { count: warningCount, first }
}

/** Owners kept by name: more would not fit the manifest, and no directory has them. */
const OWNERS_MAX = 10_000

function namesOf(
  ids: readonly number[],
  nameOf: (id: number) => string | undefined,
): Record<string, string> {
  const names: [string, string][] = []
  for (const id of [...new Set(ids)].toSorted((a, b) => a - b).slice(0, OWNERS_MAX)) {
    const name = nameOf(id)
    if (name !== undefined) names.push([String(id), name])
  }
  return Object.fromEntries(names)
}

export function collectWarnings({ reports }: CoordinatorResult): {
  warnings: readonly CaptureWarning[]
  warningCount: number
} {
  const warnings = reports
    .flatMap((report) => report.warnings)
    .toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0))
    .slice(0, WARNINGS_KEPT_MAX)
  const warningCount = reports.reduce((sum, report) => sum + report.warningCount, 0)
  return { warnings, warningCount }
}
