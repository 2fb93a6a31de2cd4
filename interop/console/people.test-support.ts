/** Somebody of another role, for tests of what they see. */
import type { Role } from '@openmaas/api/permissions'
import type { ConsoleSite, Look, Visit } from './browser.test-support.ts'

export const FIRST_PASSWORD = 'first-password-of-somebody'
export const PASSWORD = 'second-password-of-somebody'

/** Known to the server, with a password that has to be changed. */
export async function addPerson(site: ConsoleSite, name: string, role: Role): Promise<void> {
  const body = { name, roles: [role], password: FIRST_PASSWORD }
  await site.server.api.call('createUser', { body })
}

/** Logged in for the second time: the password is changed. */
export async function enterAs(
  site: ConsoleSite,
  role: Role,
  options: Partial<Look> = {},
): Promise<Visit> {
  const name = `a-${role}`
  const { items } = await site.server.api.call('listUsers', { query: { 'filter[name]': name } })
  const isNew = items.length === 0
  if (isNew) await addPerson(site, name, role)
  const visit = await site.visit(options)
  const { request } = visit.context
  const logIn = async (password: string): Promise<string> => {
    const answer = await request.post('/api/v1/login', { data: { name, password } })
    if (!answer.ok()) throw new Error(`login of ${name}: ${await answer.text()}`)
    return ((await answer.json()) as { csrfToken: string }).csrfToken
  }
  if (isNew) {
    const headers = { 'x-csrf-token': await logIn(FIRST_PASSWORD) }
    const data = { current: FIRST_PASSWORD, next: PASSWORD }
    await request.post('/api/v1/me/password', { data, headers })
  }
  await logIn(PASSWORD)
  return visit
}
