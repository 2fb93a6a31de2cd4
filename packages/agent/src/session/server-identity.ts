/**
 * How an agent knows its server. When it joins: by the fingerprint a person gave it, of any
 * certificate in the chain. Afterwards: by the CA it then learnt, and the URI in the server's
 * certificate. Never by a name, so that addresses may change; and no other host of the same CA
 * can pass for the server.
 */
import { createHash } from 'node:crypto'
import type { DetailedPeerCertificate, PeerCertificate, TLSSocket } from 'node:tls'
import { connect } from 'node:tls'
import { MaasError } from '@openmaas/kernel/errors'

const CONTROL_URI = 'URI:urn:openmaas:control'
const CONNECT_TIMEOUT_MS = 10_000
/** Certificates of a chain looked at; ours has two. */
const CHAIN_LENGTH_MAX = 8

/** For `checkServerIdentity` of node:tls. */
export function checkControl(_name: string, certificate: PeerCertificate): Error | undefined {
  const names = (certificate.subjectaltname ?? '').split(', ')
  if (names.includes(CONTROL_URI)) return undefined
  return new MaasError('SERVER_NOT_TRUSTED', 'the certificate is not that of a server of ours')
}

/**
 * Looks at the chain a server shows, and gives the certificate with that fingerprint. Nothing is
 * sent but the TLS handshake.
 *
 * @param fingerprint `sha256:` and 64 hexadecimal digits; colons between digits are fine
 * @throws MaasError SERVER_NOT_TRUSTED, CHANNEL_UNREACHABLE, USAGE
 */
export async function findPinned(url: URL, fingerprint: string): Promise<string> {
  const wanted = parseFingerprint(fingerprint)
  const socket = await open(url)
  const chain = listChain(socket)
  socket.destroy()
  const found = chain.find((der) => createHash('sha256').update(der).digest('hex') === wanted)
  if (found !== undefined) return toPem(found)
  const root = chain.at(-1)
  const shown = root === undefined ? '' : createHash('sha256').update(root).digest('hex')
  throw new MaasError('SERVER_NOT_TRUSTED', 'the server shows another fingerprint', {
    wanted: `sha256:${wanted}`,
    shown: `sha256:${shown}`,
  })
}

function parseFingerprint(text: string): string {
  const digits = text
    .toLowerCase()
    .replace(/^sha256:/, '')
    .replaceAll(':', '')
  if (/^[0-9a-f]{64}$/.test(digits)) return digits
  throw new MaasError('USAGE', 'a fingerprint is sha256: and 64 hexadecimal digits', { text })
}

function open(url: URL): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port === '' ? 443 : Number(url.port),
      minVersion: 'TLSv1.3',
      // The chain is what this connection is for; it carries nothing else.
      rejectUnauthorized: false,
    })
    const timer = setTimeout(() => socket.destroy(new Error('timed out')), CONNECT_TIMEOUT_MS)
    socket.once('error', (cause) => {
      clearTimeout(timer)
      reject(unreachable(url, cause))
    })
    socket.once('secureConnect', () => {
      clearTimeout(timer)
      socket.on('error', () => {})
      resolve(socket)
    })
  })
}

function listChain(socket: TLSSocket): Buffer[] {
  const chain: Buffer[] = []
  let next: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true)
  // A root names itself as its issuer.
  while (next?.raw !== undefined && chain.length < CHAIN_LENGTH_MAX) {
    const { raw }: { raw: Buffer } = next
    if (chain.some((seen) => seen.equals(raw))) break
    chain.push(raw)
    next = next.issuerCertificate
  }
  return chain
}

function toPem(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}

export function unreachable(url: URL, cause: unknown): MaasError {
  const address = url.host
  const why = cause instanceof Error ? cause.message : String(cause)
  const message = `${address} cannot be reached: ${why}`
  return new MaasError('CHANNEL_UNREACHABLE', message, { address }, { cause })
}

const DATE_CODES = new Set(['CERT_NOT_YET_VALID', 'CERT_HAS_EXPIRED'])

/** What went wrong on the way to the server, in words for whoever reads the agent's log. */
export function explainTlsError(url: URL, cause: unknown): MaasError {
  if (cause instanceof MaasError) return cause
  const code = (cause as { readonly code?: string }).code ?? ''
  if (DATE_CODES.has(code)) {
    const message = `the server's certificate is not good at this machine's time (${code})`
    return new MaasError('HOST_CLOCK_WRONG', message, { address: url.host }, { cause })
  }
  const tls = /^(?:CERT_|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_|ERR_TLS_CERT)/.test(code)
  if (!tls) return unreachable(url, cause)
  const message = `${url.host} is not the server this host joined (${code})`
  return new MaasError('SERVER_NOT_TRUSTED', message, { address: url.host }, { cause })
}
