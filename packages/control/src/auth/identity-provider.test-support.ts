/**
 * A real OpenID provider (oidc-provider) in this process, whose log-in page lets in whoever the
 * test says, and a browser that follows redirects with cookies.
 */
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

interface GrantOf {
  addOIDCScope(scope: string): void
  save(): Promise<string>
}
interface ProviderOf {
  callback(): (request: IncomingMessage, response: ServerResponse) => Promise<void>
  interactionFinished(
    request: IncomingMessage,
    response: ServerResponse,
    result: object,
    options: object,
  ): Promise<void>
  on(event: string, listener: () => void): void
}
interface GrantContext {
  readonly oidc: {
    readonly client: { readonly clientId: string }
    readonly session: { readonly accountId: string }
    readonly provider: { readonly Grant: new (of: object) => GrantOf }
  }
}
/** The package has no types of its own. */
interface ProviderModule {
  readonly default: new (issuer: string, configuration: object) => ProviderOf
}

export interface Account {
  readonly sub: string
  readonly preferred_username?: string
  readonly name?: string
  readonly email?: string
  readonly groups?: readonly string[]
}

export const CLIENT = { id: 'openmaas', secret: 'a secret of the client, long enough' } as const
export const REDIRECT = 'https://maas.example/api/v1/login/oidc/corp/callback'

export class IdentityProvider implements AsyncDisposable {
  /** Who logs in next. */
  account: Account = { sub: '1' }
  readonly #server = createServer()
  issuer = ''

  /** @param inIdToken claims are in the ID token, not only at the user-info endpoint */
  async start(inIdToken: boolean): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', () => resolve()))
    this.issuer = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
    const { default: Provider } = (await import('oidc-provider' as string)) as ProviderModule
    const provider = new Provider(this.issuer, {
      clients: [{ client_id: CLIENT.id, client_secret: CLIENT.secret, redirect_uris: [REDIRECT] }],
      claims: {
        openid: ['sub'],
        profile: ['name', 'preferred_username', 'groups'],
        email: ['email'],
      },
      conformIdTokenClaims: !inIdToken,
      cookies: { keys: ['test'] },
      features: { devInteractions: { enabled: false } },
      pkce: { required: () => true },
      interactions: { url: () => '/let-in' },
      findAccount: (_: unknown, sub: string) => ({ accountId: sub, claims: () => this.account }),
      loadExistingGrant: async ({ oidc }: GrantContext) => {
        const { clientId } = oidc.client
        const grant = new oidc.provider.Grant({ clientId, accountId: oidc.session.accountId })
        grant.addOIDCScope('openid profile email')
        await grant.save()
        return grant
      },
    })
    const callback = provider.callback()
    this.#server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      const result = { login: { accountId: this.account.sub } }
      const options = { mergeWithLastSubmission: false }
      const answered =
        request.url === '/let-in'
          ? provider.interactionFinished(request, response, result, options)
          : callback(request, response)
      answered.catch((error: unknown) => response.destroy(error as Error))
    })
    return this
  }

  /** Follows the redirects from there to the one that leads back. @returns its query */
  async browse(location: string): Promise<URLSearchParams> {
    const cookies = new Map<string, string>()
    let next = location
    for (let i = 0; i < 10; i += 1) {
      if (next.startsWith(REDIRECT)) return new URL(next).searchParams
      const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
      const answer = await fetch(next, { redirect: 'manual', headers: { cookie } })
      for (const line of answer.headers.getSetCookie()) {
        const [name = '', value = ''] = line.split(';')[0]!.split(/=(.*)/s)
        cookies.set(name, value)
      }
      const to = answer.headers.get('location')
      if (to === null) throw new Error(`${answer.status} ${await answer.text()}`)
      next = new URL(to, next).href
    }
    throw new Error('the redirects do not end')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
