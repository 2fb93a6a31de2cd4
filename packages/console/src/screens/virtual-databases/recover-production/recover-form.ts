/** What is asked before a point is started where production stood, and what is sent. Pure. */
import type { Source } from '@openmaas/api/resources/source'
import type { BodyFor } from '@openmaas/api/routes/routes'
import { parseSettings } from '../new-database/create-form.ts'
import type { MomentBody } from '../new-database/moment.ts'

export interface RecoverForm {
  readonly name: string
  /** Null: the host of the standby, or another that is online. */
  readonly hostId: string | null
  /** Where applications look for it. */
  readonly port: number | null
  /** Others than its host can reach it. */
  readonly isOpen: boolean
  /** `name = value`, one a line, as the engine calls them. */
  readonly settings: string
}

export type RecoverBody = BodyFor<'recoverProduction'>
/** Without what is typed last: name, reason. */
export type RecoverWish = Omit<RecoverBody, 'confirm' | 'reason'>

type Known = Pick<Source, 'name' | 'database'>

/** Of one whose connection may not be seen, the port is typed. */
export function firstRecovery({ name, database }: Known): RecoverForm {
  const { host, port } = database?.connection ?? { host: '', port: null }
  // As production was: on the network, unless it was on the host of its standby.
  return { name: `${name}-now`, hostId: null, port, isOpen: !isLocalName(host), settings: '' }
}

const isLocalName = (host: string): boolean =>
  host === 'localhost' || host === '::1' || host.startsWith('/') || host.startsWith('127.')

/** `db1:5432`; empty where the connection may not be seen. */
export function productionPlace({ database }: Known): string {
  const connection = database?.connection ?? null
  return connection === null ? '' : `${connection.host}:${connection.port}`
}

interface Situation {
  readonly sourceId: string
  readonly hostId: string | null
  readonly moment: MomentBody | null
}

/** @returns null while something is missing or wrong */
export function toRecoverWish(form: RecoverForm, of: Situation): RecoverWish | null {
  const { sourceId, hostId, moment } = of
  const { port, isOpen } = form
  const name = form.name.trim()
  const settings = parseSettings(form.settings)
  if (hostId === null || moment === null || settings === null) return null
  if (port === null || name === '') return null
  const { pointId, at, transaction } = moment
  return {
    ...(pointId === undefined ? { sourceId } : { pointId }),
    ...(at !== undefined && { at }),
    ...(transaction !== undefined && { transaction }),
    name,
    hostId,
    port,
    listen: isOpen ? ['0.0.0.0'] : ['127.0.0.1'],
    settings,
  }
}
