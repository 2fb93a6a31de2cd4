/**
 * How the client knows its server. At login by a fingerprint: of any certificate in the chain
 * that the server proves to have the key of. What is kept is the root of that chain, so that the
 * server may renew its certificate; names and addresses may change.
 */
import type { X509Certificate } from 'node:crypto'
import { connect } from 'node:tls'
import type { TLSSocket } from 'node:tls'
import { MaasError } from '@openmaas/kernel/errors'

const CONNECT_TIMEOUT_MS = 10_000
/** Certificates of a chain looked at; ours has two. */
const CHAIN_LENGTH_MAX = 8
const HTTPS_PORT = 443

export interface ShownChain {
  /** The server's own first; each is signed by the next. */
  readonly chain: readonly X509Certificate[]
  /** The system's authorities vouch for it, under the name it was asked by. */
  readonly authorized: boolean
}

/** Nothing is sent but the handshake. @throws MaasError SERVER_UNREACHABLE */
export async function readChain(url: URL): Promise<ShownChain> {
  const socket = await open(url)
  try {
    return { chain: listChain(socket), authorized: socket.authorized }
  } finally {
    socket.destroy()
  }
}

function open(url: URL): Promise<TLSSocket> {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const port = url.port === '' ? HTTPS_PORT : Number(url.port)
  return new Promise((resolve, reject) => {
    const servername = /^[\d.]+$|:/.test(host) ? {} : { servername: host }
    // The chain is what this connection is for; it carries nothing else.
    const socket = connect({ host, port, ...servername, rejectUnauthorized: false })
    const timer = setTimeout(() => socket.destroy(new Error('timed out')), CONNECT_TIMEOUT_MS)
    socket.once('error', (cause) => {
      clearTimeout(timer)
      const message = `${url.host} cannot be reached: ${cause.message}`
      reject(new MaasError('SERVER_UNREACHABLE', message, { url: url.origin }, { cause }))
    })
    socket.once('secureConnect', () => {
      clearTimeout(timer)
      socket.on('error', () => undefined)
      resolve(socket)
    })
  })
}

/** As far as each certificate is really signed by the next one. */
function listChain(socket: TLSSocket): X509Certificate[] {
  const chain: X509Certificate[] = []
  let next: X509Certificate | undefined = socket.getPeerX509Certificate()
  while (next !== undefined && chain.length < CHAIN_LENGTH_MAX) {
    const last = chain.at(-1)
    if (last !== undefined && !last.verify(next.publicKey)) break
    if (chain.some(({ fingerprint256 }) => fingerprint256 === next?.fingerprint256)) break
    chain.push(next)
    next = next.issuerCertificate
  }
  return chain
}

/** `sha256:` and 64 digits. */
export function fingerprintOf(certificate: X509Certificate): string {
  return `sha256:${certificate.fingerprint256.replaceAll(':', '').toLowerCase()}`
}

/** @throws MaasError USAGE */
export function parseFingerprint(text: string): string {
  const digits = text
    .toLowerCase()
    .replace(/^sha256:/, '')
    .replaceAll(':', '')
  if (/^[0-9a-f]{64}$/.test(digits)) return `sha256:${digits}`
  const message = 'a fingerprint is sha256: and 64 hexadecimal digits'
  throw new MaasError('USAGE', message, { option: 'fingerprint' })
}

/**
 * The CA to trust from now on, in PEM.
 *
 * @throws MaasError SERVER_NOT_TRUSTED: no certificate of the chain has that fingerprint
 */
export function pinnedRoot({ chain }: ShownChain, fingerprint: string, url: URL): string {
  const wanted = parseFingerprint(fingerprint)
  const shown = chain.map((certificate) => fingerprintOf(certificate))
  const root = chain.at(-1)
  if (root !== undefined && shown.includes(wanted)) return root.toString()
  throw new MaasError('SERVER_NOT_TRUSTED', `${url.host} shows another fingerprint`, {
    wanted,
    shown: shown[0],
  })
}
