/**
 * The console in Debian's Chromium, against the real server: one server and one browser for all
 * screens. The tests of a screen are a function in <noun>.test-support.ts, and one row here.
 */
import { requires } from '@openmaas/testkit/requires'
import { afterAll, beforeAll, describe } from 'vitest'
import { testAdmin } from './admin.test-support.ts'
import { CHROMIUM, ConsoleSite, DIST } from './browser.test-support.ts'
import { testRecover } from './recover.test-support.ts'
import { testShell } from './shell.test-support.ts'
import { testSources } from './sources.test-support.ts'
import { testVirtualDatabases } from './virtual-databases.test-support.ts'

requires({ linux: true, root: true, paths: [CHROMIUM, DIST, '/dev/fuse'] }, () => {
  describe('the console', () => {
    let site: ConsoleSite

    beforeAll(async () => {
      site = await ConsoleSite.start()
      await site.protectFiles()
    })

    afterAll(() => site?.[Symbol.asyncDispose]())

    testShell(() => site)
    testRecover(() => site)
    testSources(() => site)
    testVirtualDatabases(() => site)
    testAdmin(() => site)
  })
})
