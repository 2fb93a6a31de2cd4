/** The typed client of packages/api in a browser that came from the server itself. */
import { ApiClient } from '@openmaas/api/client'
import type { Me } from './session.ts'
import { currentLanguage } from '../i18n/i18n.ts'

/** Of the session; in memory only, since a reload gets it again from /me. */
let csrfToken: string | null = null

/** Problems come in the language that is shown at the time. */
export const client = new ApiClient({
  baseUrl: '',
  csrfToken: () => csrfToken,
  fetch: (input, init) => {
    const headers = new Headers(init?.headers)
    headers.set('accept-language', currentLanguage())
    return globalThis.fetch(input, { ...init, headers, credentials: 'same-origin' })
  },
})

export function keepCsrfToken(me: Me | null): void {
  csrfToken = me?.csrfToken ?? null
}
