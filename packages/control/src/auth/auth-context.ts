/** What the parts of auth work with. Made once by the composition root. */
import type { Clock } from '@openmaas/kernel/clock'
import type { Random } from '@openmaas/kernel/random'
import type { Catalog } from '../catalog/catalog.ts'
import type { PasswordHasher } from './password.ts'
import type { ServerKey } from './server-key.ts'
import type { SettingsStore } from './settings-store.ts'

export interface AuthContext {
  readonly catalog: Catalog
  readonly clock: Clock
  readonly random: Random
  readonly serverKey: ServerKey
  readonly hasher: PasswordHasher
  readonly settings: SettingsStore
  /** The API is reached by HTTPS: cookies carry Secure and the prefix __Host-. */
  readonly secure: boolean
}

/** Where a request came from, for the audit log. */
export interface Caller {
  readonly address: string
  readonly requestId: string
}
