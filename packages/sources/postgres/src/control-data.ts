/** What pg_control says about a data directory, by pg_controldata of the same version. */
import { z } from 'zod'
import { MaasError } from '@openmaas/kernel/errors'
import type { OsUser } from '@openmaas/source-kit/os-user'
import { runProgram } from '@openmaas/source-kit/run-program'
import type { Programs } from './programs.ts'

/** A standby's must not be below production's, or replay stops: "Hot Standby", 27.4.3. */
export const STANDBY_MINIMA = [
  'max_connections',
  'max_worker_processes',
  'max_wal_senders',
  'max_prepared_xacts',
  'max_locks_per_xact',
] as const

export interface ControlData {
  readonly systemIdentifier: string
  /** "in archive recovery", "shut down in recovery", "in production"… */
  readonly state: string
  readonly timeline: number
  readonly redo: string
  readonly minimumRecovery: string
  /** Whole seconds, by the clock of production. */
  readonly checkpointAtMs: number
  /** With its epoch in the upper 32 bits. */
  readonly nextXid: bigint
  readonly segmentSize: number
  readonly checksums: boolean
  readonly minima: Readonly<Record<(typeof STANDBY_MINIMA)[number], number>>
}

const lsnText = z.string().regex(/^[0-9A-F]+\/[0-9A-F]+$/i)

/** @throws MaasError DATABASE_PROGRAM_FAILED when pg_control is absent or damaged */
export async function readControlData(
  programs: Programs,
  data: string,
  user: OsUser | null,
): Promise<ControlData> {
  const command = [programs.path('pg_controldata'), '-D', data]
  const { stdout } = await runProgram(command, { user, environment: { TZ: 'UTC' } })
  const fields = new Map<string, string>()
  for (const line of stdout.split('\n')) {
    const at = line.indexOf(':')
    if (at > 0) fields.set(line.slice(0, at).trim(), line.slice(at + 1).trim())
  }
  const field = (name: string): string => {
    const value = fields.get(name)
    if (value !== undefined) return value
    const message = `pg_controldata tells no "${name}" of ${data}`
    throw new MaasError('DATABASE_PROGRAM_FAILED', message, { data })
  }
  const minima = Object.fromEntries(
    STANDBY_MINIMA.map((name) => [name, Number(field(`${name} setting`))]),
  ) as ControlData['minima']
  return {
    systemIdentifier: field('Database system identifier'),
    state: field('Database cluster state'),
    timeline: Number(field("Latest checkpoint's TimeLineID")),
    redo: lsnText.parse(field("Latest checkpoint's REDO location")),
    minimumRecovery: lsnText.parse(field('Minimum recovery ending location')),
    checkpointAtMs: Date.parse(`${field('Time of latest checkpoint')} UTC`),
    nextXid: fullXid(field("Latest checkpoint's NextXID")),
    segmentSize: Number(field('Bytes per WAL segment')),
    checksums: field('Data page checksum version') !== '0',
    minima,
  }
}

/** "epoch:id". */
function fullXid(text: string): bigint {
  const [epoch, id] = z.tuple([z.string(), z.string()]).parse(text.split(':'))
  return (BigInt(epoch) << 32n) + BigInt(id)
}
