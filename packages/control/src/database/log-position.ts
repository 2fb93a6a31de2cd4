/**
 * Whether a place in the engine's log lies at or before the place that a point has reached. Only
 * what can be read off the texts: a transaction id of PostgreSQL (xid) says nothing of the log, but
 * the mark of a point tells which ones had ended and which had not begun.
 *
 *   LSN of PostgreSQL         16/B374D848
 *   GTID position of MariaDB  0-1-270,1-1-4      domain-server-sequence
 *   GTID set of MySQL         3e11fa47-…:1-5:11-18,…
 */
const LSN = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})$/i
const MARIADB = /^(\d{1,10})-(\d{1,10})-(\d{1,20})$/
const MYSQL = /^([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}):(\d{1,19})$/i

/** @returns null: it cannot be known from the texts */
export function compareReached(
  point: { readonly engine: string; readonly position: string },
  wanted: string,
): boolean | null {
  return (
    lsnReached(point.position, wanted) ??
    mariadbReached(point.position, wanted) ??
    mysqlReached(point.position, wanted)
  )
}

/** After the timeline: xids before the first had ended, those from the second on not begun. */
const RUNNING = /^\d+ (\d{1,20}):(\d{1,20})$/
const XID = /^\d{1,20}$/
/** A row tells the lower half of its xid: which epoch it is of nobody knows after the first. */
const EPOCH = 2n ** 32n

/** @returns "open": it may have run when the point was marked; null: the point tells nothing */
export function compareTransaction(
  point: { readonly engine: string; readonly detail: string },
  wanted: string,
): 'ended' | 'open' | 'later' | null {
  const [, ended, begun] = RUNNING.exec(point.detail) ?? []
  if (point.engine !== 'postgres' || ended === undefined || !XID.test(wanted)) return null
  const [xid, next] = [BigInt(wanted), BigInt(begun!)]
  if (xid < EPOCH && next >= EPOCH) return null
  if (xid < BigInt(ended)) return 'ended'
  return xid >= next ? 'later' : 'open'
}

function lsnOf(text: string): bigint | null {
  const match = LSN.exec(text)
  return match === null ? null : (BigInt(`0x${match[1]!}`) << 32n) | BigInt(`0x${match[2]!}`)
}

function lsnReached(position: string, wanted: string): boolean | null {
  const [at, to] = [lsnOf(position), lsnOf(wanted)]
  return at === null || to === null ? null : to <= at
}

function mariadbReached(position: string, wanted: string): boolean | null {
  const [, domain, , sequence] = MARIADB.exec(wanted) ?? []
  if (domain === undefined) return null
  for (const part of position.split(',')) {
    const [, itsDomain, , itsSequence] = MARIADB.exec(part.trim()) ?? []
    if (itsDomain === domain) return BigInt(sequence!) <= BigInt(itsSequence!)
  }
  return false
}

function mysqlReached(position: string, wanted: string): boolean | null {
  const [, uuid, number] = MYSQL.exec(wanted) ?? []
  if (uuid === undefined) return null
  const sequence = BigInt(number!)
  for (const part of position.split(',')) {
    const [itsUuid, ...ranges] = part.trim().split(':')
    if (itsUuid?.toLowerCase() !== uuid.toLowerCase()) continue
    return ranges.some((range) => {
      const [first, last = first] = range.split('-')
      if (!/^\d+$/.test(first ?? '') || !/^\d+$/.test(last ?? '')) return false
      return sequence >= BigInt(first!) && sequence <= BigInt(last!)
    })
  }
  return false
}
