import { expect, test } from 'vitest'
import { MaasError } from '@openmaas/kernel/errors'
import { SeededRandom } from '@openmaas/kernel/random'
import { checkNewPassword, makePassword, PasswordHasher } from './password.ts'
import { CHEAP } from './password.test-support.ts'

test('a password verifies against its hash, another does not', async () => {
  const hasher = new PasswordHasher(new SeededRandom(1), CHEAP)
  const phc = await hasher.hash('correct horse battery')
  expect(phc).toMatch(/^\$argon2id\$v=19\$m=64,t=1,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/)
  expect(await hasher.verify(phc, 'correct horse battery')).toBe(true)
  expect(await hasher.verify(phc, 'correct horse batterY')).toBe(false)
  expect(await hasher.hash('correct horse battery')).not.toBe(phc)
})

test('characters composed in another way are the same password', async () => {
  const hasher = new PasswordHasher(new SeededRandom(1), CHEAP)
  expect(
    await hasher.verify(await hasher.hash('caf\u00e9 caf\u00e9 x'), 'cafe\u0301 cafe\u0301 x'),
  ).toBe(true)
})

test('nobody has the password of somebody who does not exist', async () => {
  const hasher = new PasswordHasher(new SeededRandom(1), CHEAP)
  expect(await hasher.verify(null, 'anything at all')).toBe(false)
})

test('the password of nobody is stretched like that of somebody', async () => {
  const hasher = new PasswordHasher(new SeededRandom(1), CHEAP)
  const phc = await hasher.hash('correct horse battery')
  await hasher.verify(null, 'the decoy is made')
  // With all places taken, whatever needs a stretch is turned away, and says so.
  const others = Promise.allSettled(Array.from({ length: 66 }, () => hasher.verify(phc, 'x')))
  const failure = { code: 'LOGIN_THROTTLED' }
  await expect(hasher.verify(null, 'x')).rejects.toMatchObject(failure)
  await expect(hasher.verify(phc, 'x')).rejects.toMatchObject(failure)
  await others
})

test('what argon2-cffi hashed (the example of its documentation) verifies', async () => {
  const phc =
    '$argon2id$v=19$m=65536,t=3,p=4$' +
    'MIIRqgvgQbgj220jfp0MPA$YfwJSVjtjSU0zzV/P3S9nnQ/USre2wvJMjfCIjrTQbg'
  const hasher = new PasswordHasher(new SeededRandom(1), CHEAP)
  expect(await hasher.verify(phc, 'correct horse battery staple')).toBe(true)
  expect(hasher.isOutdated(phc)).toBe(true)
})

test('a row that asks for too much memory or is damaged is refused before it is stretched', async () => {
  const hasher = new PasswordHasher(new SeededRandom(1), CHEAP)
  const tail = `${'A'.repeat(22)}$${'A'.repeat(43)}`
  for (const phc of [
    '',
    'plain',
    `$argon2id$v=19$m=99999999,t=1,p=1$${tail}`,
    `$argon2id$v=19$m=64,t=1000,p=1$${tail}`,
    `$argon2i$v=19$m=64,t=1,p=1$${tail}`,
    `$argon2id$v=19$m=64,t=1,p=1$AAAA$${'A'.repeat(43)}`,
  ]) {
    await expect(hasher.verify(phc, 'x')).rejects.toThrow('a stored password is damaged')
  }
})

test('more logins at once than can wait are asked to come again', async () => {
  const hasher = new PasswordHasher(new SeededRandom(1), CHEAP)
  const phc = await hasher.hash('correct horse battery')
  const all = await Promise.allSettled(
    Array.from({ length: 100 }, () => hasher.verify(phc, 'correct horse battery')),
  )
  const done = all.filter((one) => one.status === 'fulfilled' && one.value)
  const refused = all.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []))
  expect(done.length).toBe(66)
  expect(refused.every((e) => e instanceof MaasError && e.code === 'LOGIN_THROTTLED')).toBe(true)
  // And the way is free again.
  expect(await hasher.verify(phc, 'correct horse battery')).toBe(true)
})

test.each([
  ['short', 'length'],
  ['x'.repeat(300), 'length'],
  ['121212121212', 'monotonous'],
  ['my-susanna-2026', 'name'],
  ['Password12345', 'common'],
  ['administrator1', 'common'],
])('the password "%.20s" is refused for its %s', (password, reason) => {
  expect(() => checkNewPassword(password, 'Susanna')).toThrow(
    expect.objectContaining({
      code: 'PASSWORD_UNFIT',
      details: expect.objectContaining({ reason }) as unknown,
    }) as Error,
  )
})

test('long ones and those we make are fine', () => {
  checkNewPassword('correct horse battery staple', 'susanna')
  checkNewPassword('一二三四五六七八九十甲乙', 'susanna')
  const made = makePassword(new SeededRandom(7))
  expect(made).toMatch(/^(?:[a-z2-9]{5}-){3}[a-z2-9]{5}$/)
  checkNewPassword(made, 'admin')
})
