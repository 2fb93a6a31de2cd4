import { expect, test } from 'vitest'
import { SeededRandom } from '@openmaas/kernel/random'
import { FakeClock } from '@openmaas/testkit/fake-clock'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { describeBothCatalogs } from '../catalog/both-catalogs.test-support.ts'
import { deleteSecret, openSecret, saveSecret } from './secret-repository.ts'
import { loadSecretVault } from './secret-vault.ts'

describeBothCatalogs('a secret of a protected system', (make) => {
  test('is put in by the sealing half, read by the opening half, and gone when removed', async () => {
    using site = new TemporaryDirectory()
    const { sealer, opener } = loadSecretVault(site.join('vault.key'))
    const clock = new FakeClock()
    const catalog = await make(clock)
    const context = { clock, random: new SeededRandom(1), sealer }
    const secret = { name: 'shop database', plain: '密码 🔑' }
    const id = await catalog.transaction((trx) => saveSecret(trx, context, secret))
    expect(await openSecret(catalog.db, id, opener)).toBe('密码 🔑')
    const rows = await catalog.db.selectFrom('secret').selectAll().execute()
    expect(JSON.stringify(rows)).not.toContain('密码')
    // Moved to another row, it is no secret of that one.
    const other = await catalog.transaction((trx) => saveSecret(trx, context, secret))
    const moved = { sealed: rows[0]!.sealed }
    await catalog.db.updateTable('secret').set(moved).where('id', '=', other).execute()
    const failure = openSecret(catalog.db, other, opener)
    await expect(failure).rejects.toMatchObject({ code: 'SEALED_INVALID' })
    await catalog.transaction((trx) => deleteSecret(trx, id))
    await expect(openSecret(catalog.db, id, opener)).rejects.toMatchObject({
      code: 'SECRET_NOT_FOUND',
    })
  })
})
