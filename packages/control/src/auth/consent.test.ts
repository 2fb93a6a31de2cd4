import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Principal } from '@openmaas/api/permissions'
import { MaasError } from '@openmaas/kernel/errors'
import { describeBothCatalogs } from '../catalog/both-catalogs.test-support.ts'
import { CALLER, makeAuth } from './auth.test-support.ts'
import {
  decideApproval,
  expireApprovals,
  insertApproval,
  loadApproval,
  paramsText,
  requireConsent,
  showApproval,
} from './consent.ts'
import type { DangerousRequest } from './consent.ts'

const ANNA: Principal = {
  actor: 'user:usr_anna',
  userId: 'usr_anna',
  roles: ['operator'],
  scope: null,
}
const OFFICER: Principal = {
  actor: 'user:usr_olaf',
  userId: 'usr_olaf',
  roles: ['security-officer'],
  scope: null,
}
const REQUEST = {
  principal: ANNA,
  action: 'deletePoint',
  object: 'pnt_1',
  name: 'shop',
  params: { keep: [1, 2] },
  caller: CALLER,
} as const
const DANGER = { confirm: 'shop', reason: 'asked for by its owner' }
const HOUR_MS = 3_600_000

async function failureOf(promise: Promise<unknown>): Promise<MaasError> {
  try {
    await promise
  } catch (error) {
    if (error instanceof MaasError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

describeBothCatalogs('a dangerous verb', (make) => {
  const start = async (fourEyes: boolean) => {
    const auth = await makeAuth(make)
    await auth.catalog.transaction((trx) => auth.settings.change(trx, { fourEyes }))
    await auth.settings.reload()
    const require = (
      danger: Partial<DangerousRequest['danger']>,
      other: Partial<DangerousRequest> = {},
    ) => requireConsent(auth, { ...REQUEST, danger: { ...DANGER, ...danger }, ...other })
    const decide = (id: string, approved: boolean, principal = OFFICER) =>
      auth.catalog.transaction((trx) =>
        decideApproval(trx, auth, { id, approved, principal, caller: CALLER }),
      )
    const ask = async () => {
      const { code, details } = await failureOf(require({}))
      expect(code).toBe('APPROVAL_REQUIRED')
      return String(details['approvalId'])
    }
    return { auth, require, decide, ask }
  }

  test('needs the name typed exactly, and a reason', async () => {
    const { require } = await start(false)
    for (const [danger, pointer] of [
      [{ confirm: 'Shop' }, '/confirm'],
      [{ confirm: '' }, '/confirm'],
      [{ reason: '  x ' }, '/reason'],
    ] as const) {
      const { code, details } = await failureOf(require(danger))
      expect([code, details['pointer']]).toEqual(['CONSENT_MISSING', pointer])
    }
    expect((await require({})).reason).toBe(DANGER.reason)
  })

  test('with four eyes waits for somebody else, and goes through once', async () => {
    const { auth, require, decide, ask } = await start(true)
    const approvalId = await ask()
    // Asking again finds the same one.
    expect(await ask()).toBe(approvalId)
    expect((await failureOf(require({ approvalId }))).details['state']).toBe('waiting')
    await decide(approvalId, true)
    const first = await require({ approvalId })
    const second = await require({ approvalId })
    await auth.catalog.transaction((trx) => first.use(trx))
    const late = await failureOf(auth.catalog.transaction((trx) => second.use(trx)))
    expect([late.code, late.details['state']]).toEqual(['APPROVAL_NOT_USABLE', 'used'])
    const rows = await auth.catalog.db.selectFrom('audit').selectAll().orderBy('seq').execute()
    expect(rows.map((row) => [row.action, row.actor])).toEqual([
      ['approval.requested', ANNA.actor],
      ['approval.approved', OFFICER.actor],
    ])
  })

  test('whose change fails leaves the approval to be used again', async () => {
    const { auth, require, decide, ask } = await start(true)
    const approvalId = await ask()
    await decide(approvalId, true)
    const consent = await require({ approvalId })
    const failing = auth.catalog.transaction(async (trx) => {
      await consent.use(trx)
      throw new Error('the change failed')
    })
    await expect(failing).rejects.toThrow('the change failed')
    expect((await loadApproval(auth.catalog.db, approvalId)).state).toBe('approved')
  })

  test('is not let through by an approval of something else, or of somebody else', async () => {
    const { require, decide, ask } = await start(true)
    const approvalId = await ask()
    await decide(approvalId, true)
    const others: Partial<DangerousRequest>[] = [
      { params: { keep: [1] } },
      { params: { keep: [1, 2], more: true } },
      { object: 'pnt_2' },
      { action: 'deleteSource' },
      { principal: { ...ANNA, actor: 'user:usr_bert', userId: 'usr_bert' } },
    ]
    for (const other of others) {
      const { code, details } = await failureOf(require({ approvalId }, other))
      expect([code, details['same']]).toEqual(['APPROVAL_NOT_USABLE', false])
    }
    // Her token is she.
    await require({ approvalId }, {
      principal: { ...ANNA, actor: 'token:tok_1', tokenId: 'tok_1' },
    })
  })

  test('is not consented to by whoever asked, not even through a token', async () => {
    const { decide, ask } = await start(true)
    const approvalId = await ask()
    const self: Principal = { ...ANNA, roles: ['operator', 'security-officer'] }
    expect((await failureOf(decide(approvalId, true, self))).code).toBe('APPROVAL_OWN')
    const token = { ...self, actor: 'token:tok_1', tokenId: 'tok_1' }
    expect((await failureOf(decide(approvalId, true, token))).code).toBe('APPROVAL_OWN')
  })

  test('that was refused, or waited too long, needs a new approval', async () => {
    const { auth, require, decide, ask } = await start(true)
    const refused = await ask()
    await decide(refused, false)
    expect((await failureOf(require({ approvalId: refused }))).details['state']).toBe('refused')
    expect((await failureOf(decide(refused, true))).code).toBe('APPROVAL_NOT_USABLE')
    const late = await ask()
    expect(late).not.toBe(refused)
    await decide(late, true)
    const consent = await require({ approvalId: late })
    auth.clock.advance(24 * HOUR_MS)
    const failure = await failureOf(auth.catalog.transaction((trx) => consent.use(trx)))
    expect(failure.details['state']).toBe('expired')
    const shown = showApproval(await loadApproval(auth.catalog.db, late), auth.clock.wallMs())
    expect(shown).toMatchObject({ state: 'expired', params: { keep: [1, 2] } })
    await expireApprovals(auth)
    expect((await loadApproval(auth.catalog.db, late)).state).toBe('expired')
  })

  test('one hundred that wait are enough', async () => {
    const { auth } = await start(true)
    const insert = (i: number) =>
      auth.catalog.transaction((trx) =>
        insertApproval(trx, auth, { ...REQUEST, object: `pnt_${i}`, reason: 'why' }, CALLER),
      )
    for (let i = 0; i < 100; i += 1) await insert(i)
    expect((await failureOf(insert(100))).code).toBe('APPROVAL_NOT_USABLE')
  })
})

test('parameters have one text, whatever the order of their members', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const back = JSON.parse(paramsText(value)) as unknown
      expect(back).toEqual(JSON.parse(JSON.stringify(value)))
      expect(paramsText(back)).toBe(paramsText(value))
    }),
  )
  expect(paramsText({ b: 1, a: [{ d: undefined, c: null }] })).toBe('{"a":[{"c":null}],"b":1}')
})
