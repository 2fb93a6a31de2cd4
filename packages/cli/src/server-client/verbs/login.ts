/** Logging in to a server, and choosing among those one has logged in to. */
import { hostname } from 'node:os'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { ApiClient } from '@openmaas/api/client'
import type { CallArguments } from '@openmaas/api/client'
import { toMaasError } from '@openmaas/kernel/error-message'
import { MaasError } from '@openmaas/kernel/errors'
import type { Input } from '../../program/input.ts'
import type { Site } from '../../program/site.ts'
import { ask, canAsk, confirm } from '../../program/terminal.ts'
import { ContextFile } from '../contexts.ts'
import { makeFetch } from '../pinned-fetch.ts'
import type { Fetch } from '../pinned-fetch.ts'
import { translated } from '../problem-error.ts'
import { makeClient } from '../server.ts'
import { fingerprintOf, pinnedRoot, readChain } from '../server-trust.ts'
import { formatOf, showRows } from '../show.ts'
import { tokenEnd } from './people.ts'

const STDIN = 0
/** Longer lines are no token of ours. */
const TOKEN = /^msk_[A-Za-z0-9_-]{16,200}$/

/** `https://host:8730` of whatever was typed. */
function serverUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol === 'https:' || url?.protocol === 'http:') return url
  throw new MaasError('USAGE', `"${text}" is no address such as https://backup:8730`, { url: text })
}

/**
 * The CA to trust from now on; undefined: those that the system trusts. Without a fingerprint a
 * person at the terminal compares the one that the server shows.
 */
async function learnCa(url: URL, input: Input, site: Site): Promise<string | undefined> {
  if (url.protocol === 'http:') return undefined
  const shown = await readChain(url)
  const given = input.text('fingerprint')
  if (given !== undefined) return pinnedRoot(shown, given, url)
  if (shown.authorized) return undefined
  const [leaf] = shown.chain
  const fingerprint = leaf === undefined ? '' : fingerprintOf(leaf)
  if (!canAsk()) {
    const message = `${url.host} is not known: compare and give --fingerprint ${fingerprint}`
    throw new MaasError('SERVER_NOT_TRUSTED', message, { fingerprint })
  }
  site.out.note(site.text('login.untrusted', { fingerprint }))
  await confirm(site, site.text('login.trust'))
  return pinnedRoot(shown, fingerprint, url)
}

async function readToken(input: Input, site: Site): Promise<string> {
  const file = input.text('token-file')
  let token: string
  if (file === undefined && canAsk())
    token = await ask(site, site.text('login.token'), { secret: true })
  else {
    try {
      const from = file === undefined || file === '-' ? STDIN : path.resolve(site.directory, file)
      token = readFileSync(from, 'utf8')
    } catch (error) {
      throw toMaasError(error)
    }
  }
  if (TOKEN.test(token.trim())) return token.trim()
  throw new MaasError('USAGE', 'a token begins with msk_', { option: 'token' })
}

async function readPassword(
  option: 'password-file' | 'new-password-file',
  input: Input,
  site: Site,
): Promise<string> {
  const file = input.text(option)
  if (file === undefined) {
    if (canAsk()) return option === 'password-file' ? askPassword(site) : askNewPassword(site)
    const isNew = option === 'new-password-file'
    throw isNew
      ? new MaasError('PASSWORD_CHANGE_REQUIRED', `the password has to be changed: --${option}`)
      : new MaasError('USAGE', `without a terminal, --${option} says the password`, { option })
  }
  try {
    return readFileSync(path.resolve(site.directory, file), 'utf8').replace(/\r?\n$/, '')
  } catch (error) {
    throw toMaasError(error)
  }
}

function askPassword(site: Site): Promise<string> {
  return ask(site, site.text('login.password'), { secret: true })
}

async function askNewPassword(site: Site): Promise<string> {
  site.out.note(site.text('login.passwordRule'))
  for (;;) {
    const first = await ask(site, site.text('login.newPassword'), { secret: true })
    const again = await ask(site, site.text('login.again'), { secret: true })
    if (first === again) return first
    site.out.note(site.text('passphrase.differ'))
  }
}

/** Keeps the cookie of the session for as long as it takes to make a token. */
function withCookie(fetch: Fetch): Fetch {
  let cookie = ''
  return async (url, init = {}) => {
    const headers = new Headers(init.headers)
    if (cookie !== '') headers.set('cookie', cookie)
    const response = await fetch(url, { ...init, headers })
    const set = response.headers.getSetCookie().map((each) => each.split(';')[0] ?? '')
    if (set.length > 0) cookie = set.join('; ')
    return response
  }
}

/** Logs in with the password, makes a token of the own, and leaves the session again. */
async function tokenOfUser(
  name: string,
  client: { url: URL; fetch: Fetch },
  input: Input,
  site: Site,
): Promise<string> {
  let csrf: string | null = null
  const session = new ApiClient({
    baseUrl: client.url.origin,
    fetch: withCookie(client.fetch),
    language: site.language,
    csrfToken: () => csrf,
  })
  const password = await readPassword('password-file', input, site)
  const { signal } = site
  const code = input.text('code')
  const body = { name, password, ...(code !== undefined && { code }) }
  const { body: me } = await session.call('login', { body, signal })
  csrf = me.csrfToken
  if (me.mustChangePassword) {
    const next = await readPassword('new-password-file', input, site)
    await session.call('changePassword', { body: { current: password, next }, signal })
  }
  const made = [
    {
      body: { name: `cli@${hostname()}`, expiresAt: tokenEnd({ site }, input.text('ttl')) },
      signal,
    },
  ] as unknown as CallArguments<'createMyToken'>
  const { body: created } = await session.call('createMyToken', ...made)
  await session.call('logout', { signal })
  return created.secret
}

export const login = (input: Input, site: Site): Promise<void> =>
  translated(async () => {
    const url = serverUrl(input.positionals[0]!)
    const ca = await learnCa(url, input, site)
    const server = url.origin
    const place = { server, ...(ca !== undefined && { ca }) }
    const user = input.text('user')
    const token =
      user === undefined
        ? await readToken(input, site)
        : await tokenOfUser(user, { url, fetch: makeFetch(place) }, input, site)
    const { body: me } = await makeClient({ ...place, token }, site).call('getMe', {
      signal: site.signal,
    })
    const file = ContextFile.read(site)
    const name = input.text('name') ?? url.hostname.replaceAll(/[^A-Za-z0-9.-]/g, '')
    file.put({ name, token, ...place })
    file.use(name)
    file.save()
    site.out.note(site.text('login.done', { name, user: me.user?.name ?? me.actor }))
  })

/** Forgets the token here; `token revoke` ends it at the server. */
// oxlint-disable-next-line typescript/require-await -- commands are asynchronous
export async function logout(input: Input, site: Site): Promise<void> {
  const file = ContextFile.read(site)
  const name = input.positionals[0] ?? site.settings.get('context')
  if (name === undefined) throw new MaasError('CONTEXT_MISSING', 'no server is chosen')
  file.find(name)
  file.remove(name)
  file.save()
  site.out.note(site.text('logout.done', { name }))
}

// oxlint-disable-next-line typescript/require-await -- commands are asynchronous
export async function listContexts(input: Input, site: Site): Promise<void> {
  const current = site.settings.get('context')
  // Never the token: this output ends up in fault reports.
  const rows = ContextFile.read(site)
    .list()
    .map(({ name, server, ca }) => ({
      name,
      server,
      current: name === current,
      ownCa: ca !== undefined,
    }))
  showRows(
    [
      { title: 'col.name', field: 'name' },
      { title: 'col.server', field: 'server' },
      { title: 'col.current', field: 'current', kind: 'flag' },
    ],
    rows,
    { site, input, idField: 'name' },
  )
  if (rows.length === 0 && formatOf(input, site) === 'table')
    site.out.note(site.text('context.none'))
}

// oxlint-disable-next-line typescript/require-await -- commands are asynchronous
export async function useContext(input: Input, site: Site): Promise<void> {
  const file = ContextFile.read(site)
  const { name, server } = file.find(input.positionals[0]!)
  file.use(name)
  file.save()
  site.out.note(site.text('context.used', { name, server }))
}
