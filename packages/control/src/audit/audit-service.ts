/** The audit log as the server runs it: anchors, forwarding, and the record of refusals. */
import { join } from 'node:path'
import type { Clock } from '@openmaas/kernel/clock'
import type { SettingsStore } from '../auth/settings-store.ts'
import type { Catalog } from '../catalog/catalog.ts'
import { AuditAnchors } from './audit-anchors.ts'
import { AuditForwarder } from './audit-forwarder.ts'
import type { AuditAnchor } from './audit-verify.ts'
import { RefusalRecorder } from './refusals.ts'
import type { Refused } from './refusals.ts'

export interface AuditService extends AsyncDisposable {
  /** For `auditHandlers`. */
  readonly anchors: () => readonly AuditAnchor[]
  /** For `onRefused` of the HTTP server. */
  readonly record: (refused: Refused) => void
}

/** @param options.directory the data directory: `audit.anchors` is there */
export function startAuditService(options: {
  readonly catalog: Catalog
  readonly clock: Clock
  readonly settings: SettingsStore
  readonly directory: string
}): AuditService {
  const { catalog, clock, settings, directory } = options
  const anchors = new AuditAnchors(catalog, clock, join(directory, 'audit.anchors'))
  const forwarder = new AuditForwarder(catalog, clock, settings)
  const refusals = new RefusalRecorder(catalog, clock)
  anchors.start()
  forwarder.start()
  return {
    anchors: () => anchors.read(),
    record: (refused) => refusals.record(refused),
    [Symbol.asyncDispose]: async () => {
      await refusals.flush()
      await forwarder.stop()
      await anchors.stop()
    },
  }
}
