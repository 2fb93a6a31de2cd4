/** Which engines a host has plug-ins for, as it told at its last hello. */
import { DATABASE_KINDS } from '@openmaas/api/resources/database'
import { MaasError } from '@openmaas/kernel/errors'
import { loadHost, parseAbout } from '../host/host-repository.ts'
import type { Db } from '../http/handler-context.ts'

/**
 * The host that would run the standby can do so, as far as is known.
 *
 * @throws MaasError DATABASE_ENGINE_UNKNOWN, HOST_NOT_FOUND
 */
export async function requireEngine(db: Db, hostId: string, kind: string): Promise<void> {
  const { name, aboutJson } = await loadHost(db, hostId)
  const { engines } = parseAbout(aboutJson)
  const found = engines.find(({ engine }) => engine === kind)
  if (found?.problem === '') return
  const known = engines.filter(({ problem }) => problem === '').map(({ engine }) => engine)
  // An agent of a version that does not tell has those that every agent has.
  if (engines.length === 0) known.push(...DATABASE_KINDS)
  if (known.includes(kind)) return
  // A file that was refused never said which engine it knows: the reasons of all are shown.
  const problems = engines.filter(({ problem }) => problem !== '').map(({ problem }) => problem)
  const why = [`${name} has no plug-in for ${kind}; it knows ${known.join(', ')}`, ...problems]
  const details = { engine: kind, hostId, known }
  throw new MaasError('DATABASE_ENGINE_UNKNOWN', why.join('; '), details)
}
