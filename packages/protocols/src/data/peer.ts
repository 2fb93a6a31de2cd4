/** Who is at the other end of a TLS connection, on the data port and the NBD port of a node. */
import type { PeerCertificate } from 'node:tls'

/** Host ids stand in certificates of our authority as a URI (docs/protocols/channel.md). */
const HOST_URI = 'urn:openmaas:host:'

/** Between export name and ticket in what an NBD client asks for. No export name holds it. */
export const NBD_TICKET_SEPARATOR = '?'

/** The host of a certificate that has been verified; undefined when it names none, or several. */
export function hostOfCertificate(certificate: PeerCertificate): string | undefined {
  const names = (certificate.subjectaltname ?? '').split(', ')
  const hosts = names.filter((name) => name.startsWith(`URI:${HOST_URI}`))
  const [only, ...others] = hosts.map((name) => name.slice(`URI:${HOST_URI}`.length))
  return only !== undefined && others.length === 0 && /^\w{1,64}$/.test(only) ? only : undefined
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
