/** Who is at the other end of a TLS connection, on the data port and the NBD port of a node. */
import type { PeerCertificate } from 'node:tls'

/** Host ids stand in certificates of our authority as a URI, and nothing else does there. */
const HOST_NAMES = /^URI:urn:openmaas:host:(\w{1,64})$/

/** Between export name and ticket in what an NBD client asks for. No export name holds it. */
export const NBD_TICKET_SEPARATOR = '?'

/** The host of a certificate that has been verified; undefined when it says anything more. */
export function hostOfCertificate(certificate: PeerCertificate): string | undefined {
  return HOST_NAMES.exec(certificate.subjectaltname ?? '')?.[1]
}

/** What a certificate is for: the one name of ours in it, a host's or control's. */
export function nameOfCertificate(certificate: PeerCertificate): string | undefined {
  const text = certificate.subjectaltname ?? ''
  // Node quotes names with separators in them: such a one could look like two.
  if (text.includes('"')) return undefined
  const [only, ...others] = text.split(', ').filter((name) => name.startsWith('URI:urn:openmaas:'))
  return others.length === 0 ? only?.slice('URI:'.length) : undefined
}

/** `sha256:…` in any spelling, as 64 hex digits. */
export function plainFingerprint(text: string): string {
  return text
    .replace(/^sha-?256:/i, '')
    .replaceAll(':', '')
    .toLowerCase()
}

/** True when the certificate is the very one that was named. */
export function hasFingerprint(certificate: PeerCertificate, fingerprint: string): boolean {
  const wanted = plainFingerprint(fingerprint)
  if (!/^[0-9a-f]{64}$/.test(wanted)) return false
  return plainFingerprint(certificate.fingerprint256 ?? '') === wanted
}
