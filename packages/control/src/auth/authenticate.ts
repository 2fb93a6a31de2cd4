/** From a request to its principal: a token in the header, else a session by its cookie. */
import type { IncomingHttpHeaders } from 'node:http'
import type { Principal } from '@openmaas/api/permissions'
import { MaasError } from '@openmaas/kernel/errors'
import type { AuthContext } from './auth-context.ts'
import { checkCsrf, cookieName, findSession } from './sessions.ts'
import { findTokenPrincipal } from './tokens.ts'
import { findUser, principalOf } from './user-repository.ts'

export interface AuthRequest {
  readonly method: string
  readonly headers: IncomingHttpHeaders
}

const READING = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Value of our cookie, whether it is any good or not. */
export function readCookie(headers: IncomingHttpHeaders, secure: boolean): string | undefined {
  const name = `${cookieName(secure)}=`
  const pair = (headers.cookie ?? '').split(';').find((one) => one.trim().startsWith(name))
  const value = pair?.trim().slice(name.length)
  return value === '' ? undefined : value
}

/**
 * @returns undefined when it shows nothing that is valid: 401 where a principal is needed
 * @throws MaasError CSRF_REFUSED: a session is shown by a page that is not ours
 */
export type Authenticate = (request: AuthRequest) => Promise<Principal | undefined>

export function makeAuthenticate(context: AuthContext): Authenticate {
  return async (request) => {
    const { authorization } = request.headers
    // Who sends a header means it: no falling back to the cookie.
    if (authorization !== undefined) {
      const secret = /^Bearer ([\w-]{1,128})$/i.exec(authorization)?.[1]
      return secret === undefined ? undefined : findTokenPrincipal(context, secret)
    }
    const cookie = readCookie(request.headers, context.secure)
    return cookie === undefined ? undefined : sessionPrincipal(context, request, cookie)
  }
}

async function sessionPrincipal(
  context: AuthContext,
  request: AuthRequest,
  cookie: string,
): Promise<Principal | undefined> {
  const session = await findSession(context, cookie)
  if (session === undefined) return undefined
  const user = await findUser(context.catalog.db, session.userId)
  if (user === undefined || user.state !== 'active') return undefined
  if (!READING.has(request.method)) {
    const shown = request.headers['x-csrf-token']
    const { publicUrl } = await context.settings.load()
    const ours = isSameOrigin(request.headers, publicUrl) && typeof shown === 'string'
    if (!ours || !checkCsrf(session, shown)) {
      throw new MaasError('CSRF_REFUSED', 'the request does not come from a page of this server')
    }
  }
  return principalOf(user, session.hash)
}

/**
 * What browsers say by themselves; programs that say nothing are judged by the value alone.
 *
 * @param publicUrl where a proxy that changes the header Host is reached
 */
function isSameOrigin(headers: IncomingHttpHeaders, publicUrl: string | null): boolean {
  const site = headers['sec-fetch-site']
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return false
  const { origin, host } = headers
  if (origin === undefined) return true
  if (!URL.canParse(origin)) return false
  const hosts = [host, publicUrl === null ? undefined : new URL(publicUrl).host]
  return hosts.includes(new URL(origin).host)
}
