/**
 * Login at an identity provider: OpenID Connect, authorization code with PKCE, state and nonce, by
 * openid-client. What must come back with the browser (state, nonce, verifier) is in a sealed
 * cookie for ten minutes; the server keeps nothing.
 */
import {
  allowInsecureRequests,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  calculatePKCECodeChallenge,
  discovery,
  fetchUserInfo,
  randomNonce,
  randomPKCECodeVerifier,
  randomState,
} from 'openid-client'
import type { Configuration } from 'openid-client'
import { z } from 'zod'
import type { Role } from '@openmaas/api/permissions'
import { MaasError } from '@openmaas/kernel/errors'
import type { AuthContext } from './auth-context.ts'
import type { OidcProvider } from './settings-store.ts'

/** Somebody types a password and a code, and looks for the phone. */
const FLIGHT_LIFE_MS = 10 * 60_000
/** Keys and addresses of a provider change seldom; openid-client looks for new keys by itself. */
const DISCOVERY_LIFE_MS = 10 * 60_000
/** The settings hold eight; the rest are those of yesterday. */
const DISCOVERED_COUNT_MAX = 16
const REQUEST_TIMEOUT_SECONDS = 10
/** Groups of one person that are looked at; some directories list hundreds. */
const GROUP_COUNT_MAX = 2000

const flight = z.object({
  provider: z.string(),
  state: z.string(),
  nonce: z.string(),
  verifier: z.string(),
  redirectUri: z.string(),
  to: z.string(),
  until: z.number(),
})

/** Whom the provider says it is. */
export interface OidcPerson {
  readonly issuer: string
  readonly subject: string
  readonly name: string
  readonly displayName: string
  readonly email: string | null
  readonly roles: Role[]
}

interface Discovered {
  readonly configuration: Configuration
  readonly untilMs: number
}

export class OidcLogin {
  readonly #context: AuthContext
  readonly #discovered = new Map<string, Discovered>()

  constructor(context: AuthContext) {
    this.#context = context
  }

  /**
   * @param start.to path of the console to go to afterwards
   * @returns where to send the browser, and the value of the cookie to send with it
   * @throws MaasError OIDC_UNREACHABLE
   */
  async begin(
    provider: OidcProvider,
    start: { readonly redirectUri: string; readonly to: string },
  ): Promise<{ location: string; cookie: string }> {
    const { clock, serverKey } = this.#context
    const configuration = await this.#discover(provider)
    const { redirectUri, to } = start
    const made = { state: randomState(), nonce: randomNonce(), verifier: randomPKCECodeVerifier() }
    const url = buildAuthorizationUrl(configuration, {
      redirect_uri: redirectUri,
      scope: withOpenid(provider.scopes).join(' '),
      state: made.state,
      nonce: made.nonce,
      code_challenge: await calculatePKCECodeChallenge(made.verifier),
      code_challenge_method: 'S256',
    })
    const until = clock.wallMs() + FLIGHT_LIFE_MS
    const text = JSON.stringify({ ...made, provider: provider.name, redirectUri, to, until })
    return { location: url.href, cookie: serverKey.seal('oidc', 'flight', text) }
  }

  /**
   * @param cookie as `begin` made it
   * @returns the person, and where they wanted to go
   * @throws MaasError OIDC_REFUSED, OIDC_UNREACHABLE
   */
  async end(
    provider: OidcProvider,
    back: { readonly query: URLSearchParams; readonly cookie: string | undefined },
  ): Promise<{ person: OidcPerson; to: string }> {
    const { clock } = this.#context
    const started = this.#openFlight(back.cookie)
    if (started?.provider !== provider.name || clock.wallMs() >= started.until) {
      const message = 'the login was not begun in this browser, or too long ago'
      throw new MaasError('OIDC_REFUSED', message, { provider: provider.name })
    }
    const configuration = await this.#discover(provider)
    const url = new URL(started.redirectUri)
    url.search = back.query.toString()
    const tokens = await ask(provider, 'OIDC_REFUSED', () =>
      authorizationCodeGrant(configuration, url, {
        expectedState: started.state,
        expectedNonce: started.nonce,
        pkceCodeVerifier: started.verifier,
        idTokenExpected: true,
      }),
    )
    const claims = tokens.claims()
    if (claims === undefined) {
      throw new MaasError('OIDC_REFUSED', 'the provider gave no ID token')
    }
    // Large providers give groups and names at their user-info endpoint only.
    const more =
      claims[provider.groupsClaim] === undefined &&
      configuration.serverMetadata().userinfo_endpoint !== undefined
        ? await ask(provider, 'OIDC_UNREACHABLE', () =>
            fetchUserInfo(configuration, tokens.access_token, claims.sub),
          )
        : {}
    return { person: personOf(provider, { ...more, ...claims }), to: started.to }
  }

  #openFlight(cookie: string | undefined): z.infer<typeof flight> | undefined {
    if (cookie === undefined) return undefined
    try {
      return flight.parse(JSON.parse(this.#context.serverKey.open('oidc', 'flight', cookie)))
    } catch (error) {
      if (error instanceof MaasError && error.code === 'SEALED_INVALID') return undefined
      throw error
    }
  }

  async #discover(provider: OidcProvider): Promise<Configuration> {
    const { clock, settings } = this.#context
    const key = JSON.stringify([provider.issuer, provider.clientId, provider.clientSecretSealed])
    const known = this.#discovered.get(key)
    if (known !== undefined && clock.monotonicMs() < known.untilMs) return known.configuration
    const secret = settings.openClientSecret(provider)
    const configuration = await ask(provider, 'OIDC_UNREACHABLE', () =>
      discovery(new URL(provider.issuer), provider.clientId, secret, undefined, {
        timeout: REQUEST_TIMEOUT_SECONDS,
        // Checked when it was set: http is on loopback only.
        execute: provider.issuer.startsWith('http:') ? [allowInsecureRequests] : [],
      }),
    )
    // Providers that were changed or removed are forgotten with the rest.
    if (this.#discovered.size >= DISCOVERED_COUNT_MAX) this.#discovered.clear()
    const untilMs = clock.monotonicMs() + DISCOVERY_LIFE_MS
    this.#discovered.set(key, { configuration, untilMs })
    return configuration
  }
}

/** What the library throws are failures of the world: a code of the table, with its cause. */
async function ask<T>(
  provider: OidcProvider,
  code: 'OIDC_REFUSED' | 'OIDC_UNREACHABLE',
  body: () => Promise<T>,
): Promise<T> {
  try {
    return await body()
  } catch (cause) {
    const { name, issuer } = provider
    const reason = cause instanceof Error ? cause.message : String(cause)
    const details = { provider: name, issuer, reason }
    throw new MaasError(code, 'the login at the identity provider failed', details, { cause })
  }
}

function withOpenid(scopes: readonly string[]): string[] {
  return [...new Set(['openid', ...scopes])]
}

function personOf(provider: OidcProvider, claims: Record<string, unknown>): OidcPerson {
  const textOf = (name: string): string | undefined => {
    const value = claims[name]
    return typeof value === 'string' && value !== '' ? value.slice(0, 254) : undefined
  }
  const subject = textOf('sub')!
  const email = textOf('email') ?? null
  const name = nameFrom(textOf('preferred_username') ?? email ?? subject)
  const groups = [claims[provider.groupsClaim]].flat(1).slice(0, GROUP_COUNT_MAX)
  const roles = groups.flatMap((group) =>
    typeof group === 'string' && Object.hasOwn(provider.groupRoles, group)
      ? provider.groupRoles[group]!
      : [],
  )
  return {
    issuer: provider.issuer,
    subject,
    name,
    displayName: printable(textOf('name') ?? name),
    email,
    roles: [...new Set(roles)],
  }
}

/** Letters that a name of ours may have; the rest become dots. */
function nameFrom(text: string): string {
  const folded = text.toLowerCase().replace(/[^a-z0-9._@-]+/g, '.')
  return folded.replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, '').slice(0, 100) || 'person'
}

function printable(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]/gu, ' ').slice(0, 128)
}
