/** Why a database was not reached, in words for whoever has to mend it. */

const REFUSED = new Set(['ECONNREFUSED'])
const NAMELESS = new Set(['ENOTFOUND', 'EAI_AGAIN', 'EAI_NODATA'])
const SILENT = new Set(['ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN'])
/** OpenSSL's names of what is wrong with a chain of certificates. */
const UNKNOWN_AUTHORITY = new Set([
  'CERT_SIGNATURE_FAILURE',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])
/** The same in words: the driver of MySQL has one code for all of them. */
const NOT_TRUSTED =
  /self-signed certificate|unable to (?:verify|get)\b.*certificate|signature failure/i
const OTHER_NAME = /does not match certificate's altnames/i
const EXPIRED = /certificate has expired/i
/** Drivers have no codes for these. */
const TIMEOUT = /timeout expired|connection timeout|connect ETIMEDOUT/i
const NO_TLS = /does not support (?:SSL|secure) connection/i

/**
 * @param place  `db1:5432`, or the path of a socket
 * @returns null: the driver's own words say more
 */
export function explainConnectError(thrown: unknown, place: string): string | null {
  const { code = '', message = '' } = thrown as { code?: unknown; message?: string }
  const name = typeof code === 'string' ? code : ''
  const isSocket = place.startsWith('/')
  if (isSocket && (name === 'ENOENT' || REFUSED.has(name))) {
    return `no server has the socket ${place} on this host`
  }
  if (isSocket && name === 'EACCES') return `the socket ${place} may not be opened by this user`
  if (REFUSED.has(name)) return `nothing listens at ${place}: it does not run, or has another port`
  if (NAMELESS.has(name)) return `this host knows no machine of the name in ${place}`
  if (SILENT.has(name) || TIMEOUT.test(message)) {
    return `${place} does not answer: the machine is off, or a firewall is in between`
  }
  if (NO_TLS.test(message)) return `${place} speaks no TLS: turn it on there, or use --tls off`
  if (UNKNOWN_AUTHORITY.has(name) || NOT_TRUSTED.test(message)) {
    return `the certificate of ${place} is of an authority that is not trusted: give its --ca-file`
  }
  if (EXPIRED.test(message) || name === 'CERT_HAS_EXPIRED')
    return `the certificate of ${place} has expired`
  if (OTHER_NAME.test(message) || name === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return `the certificate of ${place} is for another name: ${message}`
  }
  return null
}
