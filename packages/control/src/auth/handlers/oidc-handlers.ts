/** The two redirects of a login at an identity provider. */
import { MaasError } from '@openmaas/kernel/errors'
import { objectNotFound } from '../../http/handler.ts'
import type { Handlers } from '../../http/handler.ts'
import type { AuthContext } from '../auth-context.ts'
import { loginOidcPerson } from '../oidc-users.ts'
import { OidcLogin } from '../oidc.ts'
import { cookieText } from '../sessions.ts'
import type { OidcProvider } from '../settings-store.ts'
import { cookieOf } from './own-session.ts'

const PATH = '/api/v1/login/oidc'
const FLIGHT_SECONDS = 600

/** Lax, not Strict: it must come back with a redirect from another site. */
function flightCookie(value: string, secure: boolean): string {
  const life = value === '' ? 0 : FLIGHT_SECONDS
  const attributes = `Path=${PATH}; HttpOnly; SameSite=Lax; Max-Age=${life}`
  return `${flightName(secure)}=${value}; ${attributes}${secure ? '; Secure' : ''}`
}

function flightName(secure: boolean): string {
  return secure ? '__Secure-openmaas-oidc' : 'openmaas-oidc'
}

function flightOf(cookie: unknown, secure: boolean): string | undefined {
  const pairs = typeof cookie === 'string' ? cookie.split(';') : []
  const name = `${flightName(secure)}=`
  return pairs
    .find((pair) => pair.trim().startsWith(name))
    ?.trim()
    .slice(name.length)
}

/** A path of ours, whatever browsers make of `/\evil.example`. */
export function safePath(to: string | undefined): string {
  const base = 'http://here.invalid'
  if (to === undefined || !URL.canParse(to, base)) return '/'
  const { origin, pathname, search, hash } = new URL(to, base)
  return origin === base && !pathname.startsWith('//') ? `${pathname}${search}${hash}` : '/'
}

export function oidcHandlers(context: AuthContext): Handlers {
  const { settings, secure } = context
  const oidc = new OidcLogin(context)
  const findProvider = async (name: string): Promise<OidcProvider> => {
    const provider = (await settings.load()).oidc.find((one) => one.name === name)
    if (provider === undefined) throw objectNotFound('identity provider', name)
    return provider
  }
  return {
    startOidcLogin: async ({ params, query, headers }) => {
      const provider = await findProvider(params.provider)
      const { publicUrl } = await settings.load()
      const base = publicUrl ?? `${secure ? 'https' : 'http'}://${String(headers['host'])}`
      const name = encodeURIComponent(provider.name)
      const redirectUri = `${base.replace(/\/+$/, '')}${PATH}/${name}/callback`
      const to = safePath(query.to)
      return orLoginPage(secure, async () => {
        const { location, cookie } = await oidc.begin(provider, { redirectUri, to })
        return redirect(location, [flightCookie(cookie, secure)])
      })
    },
    endOidcLogin: async ({ params, query, headers, address, requestId }) => {
      const provider = await findProvider(params.provider)
      return orLoginPage(secure, async () => {
        const { person, to } = await oidc.end(provider, {
          query: new URLSearchParams(query),
          cookie: flightOf(headers['cookie'], secure),
        })
        const replaces = cookieOf(headers, secure)
        const { session } = await loginOidcPerson(context, person, { address, requestId, replaces })
        return redirect(to, [flightCookie('', secure), cookieText(session.secret, secure)])
      })
    },
  }
}

interface Redirect {
  readonly status: 302
  readonly body: null
  readonly location: string
  readonly headers: Readonly<Record<string, readonly string[]>>
}

function redirect(location: string, cookies: readonly string[]): Redirect {
  return { status: 302, body: null, location, headers: { 'set-cookie': cookies } }
}

/** A person looks at a browser, not at JSON: what went wrong is told by the login page. */
async function orLoginPage(secure: boolean, body: () => Promise<Redirect>): Promise<Redirect> {
  try {
    return await body()
  } catch (error) {
    if (!(error instanceof MaasError)) throw error
    return redirect(`/login?problem=${error.code}`, [flightCookie('', secure)])
  }
}
