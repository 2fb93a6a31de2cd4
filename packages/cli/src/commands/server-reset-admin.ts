/** `openmaas server reset-admin`: the way back in, for who has the data directory anyway. */
import path from 'node:path'
import { resetAdmin } from '@openmaas/control/auth/first-admin'
import { PasswordHasher } from '@openmaas/control/auth/password'
import { loadServerKey } from '@openmaas/control/auth/server-key'
import { SettingsStore } from '@openmaas/control/auth/settings-store'
import { openCatalog } from '@openmaas/control/catalog/catalog'
import { systemRandom as random } from '@openmaas/kernel/random'
import type { Input } from '../program/input.ts'
import type { Site } from '../program/site.ts'
import { catalogUrl } from '../serve/catalog-url.ts'
import { DataLock } from '../serve/data-lock.ts'
import { loadSettings } from '../serve/load-settings.ts'

export async function run(input: Input, site: Site): Promise<void> {
  const { config } = loadSettings('server', input, site)
  const { clock, out, text } = site
  using _lock = DataLock.acquire(config.data)
  const serverKey = loadServerKey(path.join(config.data, 'server.key'), random)
  await using catalog = await openCatalog({ url: catalogUrl(config), clock })
  const settings = new SettingsStore(catalog, clock, serverKey)
  const hasher = new PasswordHasher(random)
  const context = { catalog, clock, random, serverKey, hasher, settings, secure: true }
  const { name, password } = await resetAdmin(context)
  if (out.json) out.value({ name, password })
  else out.line(text('serve.login', { name, password }))
}
