/** A place for tests that start no server, on hosts that have no user "postgres" too. */
import { join } from 'node:path'
import { volumeLayout } from '@openmaas/source-kit/layout'
import type { Place } from './place.ts'

export function testPlace(directory: string, id = 'vdb_00000000000000000000000001'): Place {
  const layout = volumeLayout(directory, id, { runRoot: join(directory, 'run') })
  return {
    id,
    layout,
    tablespaces: join(directory, 'tablespaces'),
    user: null,
    server: { run: layout.run, name: 'server' },
    programs: {},
  }
}
