/**
 * Where a setting comes from. The API tells values only; the defaults stand here as in
 * packages/control, auth/settings-store.ts, and a value that is another was set by somebody.
 */
import type { Settings } from '@openmaas/api/resources/setting'

export type Origin = 'default' | 'changed'

const DEFAULTS: Omit<Settings, 'version'> = {
  fourEyes: false,
  sessionIdleMinutes: 30,
  oidc: [],
  auditSyslog: null,
  publicUrl: null,
}

export function originOf(name: keyof typeof DEFAULTS, settings: Settings): Origin {
  const isDefault = JSON.stringify(settings[name]) === JSON.stringify(DEFAULTS[name])
  return isDefault ? 'default' : 'changed'
}
