/**
 * Control's own certificate authority, in the directory `ca` of its data directory (all 0600):
 *
 *   root.pem     key and certificate of the root, ECDSA P-256, ten years
 *   server.pem   key and certificate of this server, one year, renewed at two thirds
 *   ticket.pem   Ed25519 key that signs tickets
 *
 * Hosts get certificates for 30 days. What a certificate is for stands in its SAN URI:
 * `urn:openmaas:control` or `urn:openmaas:host:hst_…`; so no host can pass for the server, though
 * nodes may serve. Serial numbers are random; the catalog remembers those of hosts.
 */
import 'reflect-metadata' // @peculiar/x509 needs it, before itself.
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  webcrypto,
  X509Certificate as ParsedCertificate,
} from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { isIP } from 'node:net'
import { join } from 'node:path'
import * as x509 from '@peculiar/x509'
import type { Clock } from '@openmaas/kernel/clock'
import { MaasError } from '@openmaas/kernel/errors'
import { makeDirectories } from '@openmaas/kernel/make-directories'
import { readPrivateFile, writePrivateFile } from '@openmaas/kernel/private-file'
import type { TicketKey, TicketSigner } from '@openmaas/protocols/channel/ticket'

x509.cryptoProvider.set(webcrypto)

type CryptoKey = webcrypto.CryptoKey

const DAY_MS = 24 * 3600_000
const ROOT_LIFETIME_MS = 3650 * DAY_MS
const SERVER_LIFETIME_MS = 365 * DAY_MS
/** A server that runs on without a restart renews when so much is left. */
const SERVER_LAST_MS = 30 * DAY_MS
export const HOST_LIFETIME_MS = 30 * DAY_MS
/** A host or server whose clock is behind by less can use a new certificate at once. */
const BACKDATED_MS = DAY_MS
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1'
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2'
export const CONTROL_URI = 'urn:openmaas:control'
const HOST_URI = 'urn:openmaas:host:'

interface KeyPair {
  readonly publicKey: CryptoKey
  readonly privateKey: CryptoKey
}

export interface IssuedCertificate {
  readonly pem: string
  /** Hexadecimal, lower case, no leading zeros. */
  readonly serial: string
  /** `sha256:` and the hash of the DER form, hexadecimal. */
  readonly fingerprint: string
  readonly notAfter: number
}

export interface ServerCredentials {
  readonly key: string
  /** The server's own certificate, then the root. */
  readonly cert: string
  readonly fingerprint: string
}

export interface CaOptions {
  /** Made when it is missing. */
  readonly directory: string
  readonly clock: Clock
  /** Names and addresses by which hosts and people reach this server. */
  readonly names: readonly string[]
}

interface Root {
  readonly pair: KeyPair
  readonly certificate: x509.X509Certificate
}

export class CertificateAuthority {
  readonly rootPem: string
  /** What people compare when they join a host. */
  readonly fingerprint: string
  readonly #options: CaOptions
  readonly #root: Root
  readonly #ticketKey: KeyObject
  readonly #ticketKeyId: string
  #server: ServerCredentials | undefined

  private constructor(options: CaOptions, root: Root, ticketKey: KeyObject) {
    this.#options = options
    this.#root = root
    this.rootPem = root.certificate.toString('pem')
    this.fingerprint = fingerprintOf(this.rootPem)
    this.#ticketKey = ticketKey
    const spki = createPublicKey(ticketKey).export({ type: 'spki', format: 'der' })
    this.#ticketKeyId = createHash('sha256').update(spki).digest('hex').slice(0, 16)
  }

  /** @throws MaasError CA_INVALID, FS_* */
  static async open(options: CaOptions): Promise<CertificateAuthority> {
    makeDirectories(options.directory, 0o700)
    const ticketPath = join(options.directory, 'ticket.pem')
    const ticketPem = readPrivateFile(ticketPath) ?? makeTicketKey(ticketPath)
    const root = (await loadRoot(options)) ?? (await makeRoot(options))
    try {
      return new CertificateAuthority(options, root, createPrivateKey(ticketPem))
    } catch (cause) {
      throw damaged(ticketPath, cause)
    }
  }

  get ticketKeys(): TicketKey[] {
    const publicKey = createPublicKey(this.#ticketKey).export({ type: 'spki', format: 'pem' })
    return [{ id: this.#ticketKeyId, publicKey: publicKey.toString() }]
  }

  /** For signTicket of protocols/channel/ticket.ts. */
  get ticketSigner(): TicketSigner {
    const nowMs = this.#options.clock.wallMs()
    return { keyId: this.#ticketKeyId, privateKey: this.#ticketKey, nowMs }
  }

  /**
   * The server's certificate; at the first call of a process a new one when names changed or two
   * thirds of its life are over. Then it stays until its last month: people and clients pin it,
   * and listeners of one process must all show the same.
   */
  async serverCredentials(): Promise<ServerCredentials> {
    const known = this.#server
    const { validToDate } = known === undefined ? {} : new ParsedCertificate(known.cert)
    const nowMs = this.#options.clock.wallMs()
    if (known !== undefined && validToDate!.getTime() - nowMs > SERVER_LAST_MS) return known
    this.#server = await this.#loadServer()
    return this.#server
  }

  async #loadServer(): Promise<ServerCredentials> {
    const path = join(this.#options.directory, 'server.pem')
    const stored = readPrivateFile(path)
    const current = stored === undefined ? undefined : this.#checkServer(stored)
    if (current !== undefined) return current
    const pair = await makePair()
    const key = await exportKey(pair.privateKey)
    const certificate = await this.#issue({
      subject: 'CN=OpenMaaS server',
      publicKey: pair.publicKey,
      lifetimeMs: SERVER_LIFETIME_MS,
      names: [{ type: 'url', value: CONTROL_URI }, ...this.#options.names.map(toName)],
      usages: [SERVER_AUTH],
    })
    writePrivateFile(path, `${key}\n${certificate.pem}\n`)
    return {
      key,
      cert: `${certificate.pem}\n${this.rootPem}`,
      fingerprint: certificate.fingerprint,
    }
  }

  #checkServer(stored: string): ServerCredentials | undefined {
    const [key, pem] = splitPem(stored)
    if (key === undefined || pem === undefined) return undefined
    const certificate = new ParsedCertificate(pem)
    const nowMs = this.#options.clock.wallMs()
    const begin = certificate.validFromDate.getTime()
    const renewAt = begin + ((certificate.validToDate.getTime() - begin) * 2) / 3
    const has = certificate.subjectAltName ?? ''
    const named = this.#options.names.every((name) =>
      isIP(name) > 0 ? certificate.checkIP(name) : certificate.checkHost(name),
    )
    const ours = certificate.verify(new ParsedCertificate(this.rootPem).publicKey)
    if (!ours || !named || !has.includes(CONTROL_URI) || nowMs >= renewAt) return undefined
    return { key, cert: `${pem}\n${this.rootPem}`, fingerprint: fingerprintOf(pem) }
  }

  /**
   * A certificate for what the request's key can do in the name of that host. Nothing else of the
   * request is believed. Nodes may serve with theirs, too.
   *
   * @throws MaasError CERTIFICATE_INVALID when the request is malformed, not signed by its own
   *   key, or not for ECDSA P-256
   */
  async issueHost(request: {
    readonly csr: string
    readonly hostId: string
    readonly kind: 'agent' | 'node'
    readonly lifetimeMs?: number
  }): Promise<IssuedCertificate> {
    const { csr, hostId, kind, lifetimeMs = HOST_LIFETIME_MS } = request
    return this.#issue({
      subject: `CN=${hostId}`,
      publicKey: await checkRequest(csr),
      lifetimeMs,
      names: [{ type: 'url', value: HOST_URI + hostId }],
      usages: kind === 'node' ? [CLIENT_AUTH, SERVER_AUTH] : [CLIENT_AUTH],
    })
  }

  async #issue(wanted: {
    readonly subject: string
    readonly publicKey: CryptoKey
    readonly lifetimeMs: number
    readonly names: x509.JsonGeneralNames
    readonly usages: string[]
  }): Promise<IssuedCertificate> {
    const { pair, certificate: root } = this.#root
    const nowMs = this.#options.clock.wallMs()
    const notAfter = Math.min(nowMs + wanted.lifetimeMs, root.notAfter.getTime())
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: makeSerial(),
      subject: wanted.subject,
      issuer: root.subjectName,
      notBefore: new Date(Math.max(nowMs - BACKDATED_MS, root.notBefore.getTime())),
      notAfter: new Date(notAfter),
      signingKey: pair.privateKey,
      publicKey: wanted.publicKey,
      signingAlgorithm: ALGORITHM,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension(wanted.usages),
        new x509.SubjectAlternativeNameExtension(wanted.names),
        await x509.AuthorityKeyIdentifierExtension.create(pair.publicKey),
      ],
    })
    const pem = certificate.toString('pem')
    const serial = normalSerial(certificate.serialNumber)
    // X.509 counts in seconds.
    const endMs = Math.floor(notAfter / 1000) * 1000
    return { pem, serial, fingerprint: fingerprintOf(pem), notAfter: endMs }
  }
}

/** `sha256:` and 64 hexadecimal digits. */
export function fingerprintOf(certificate: string | Buffer): string {
  const parsed = new ParsedCertificate(certificate)
  return `sha256:${createHash('sha256').update(parsed.raw).digest('hex')}`
}

/** The host a certificate speaks for: exactly one SAN, and it is ours. */
export function hostIdOf(certificate: ParsedCertificate): string | undefined {
  return /^URI:urn:openmaas:host:(hst_[0-9A-Z]{26})$/.exec(certificate.subjectAltName ?? '')?.[1]
}

export function normalSerial(serial: string): string {
  return serial.toLowerCase().replace(/^0+(?=.)/, '')
}

/** 126 random bits: positive, and never a leading zero byte. */
function makeSerial(): string {
  const bytes = randomBytes(16)
  bytes[0] = (bytes[0]! & 0x3f) | 0x40
  return bytes.toString('hex')
}

function toName(name: string): { type: 'ip' | 'dns'; value: string } {
  return { type: isIP(name) > 0 ? 'ip' : 'dns', value: name }
}

/** A request of ours has 300 bytes; a parser need not see more. */
const CSR_SIZE_MAX = 4096

async function checkRequest(csr: string): Promise<CryptoKey> {
  try {
    if (csr.length > CSR_SIZE_MAX) throw new RangeError(`${csr.length} characters`)
    const request = new x509.Pkcs10CertificateRequest(csr)
    const key = await request.publicKey.export(ALGORITHM, ['verify'])
    if (!(await request.verify())) throw new Error('not signed by its own key')
    return key
  } catch (cause) {
    throw new MaasError('CERTIFICATE_INVALID', 'the certificate request is refused', {}, { cause })
  }
}

async function makePair(): Promise<KeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
}

async function exportKey(key: CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key))
  const pem = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  return pem.export({ type: 'pkcs8', format: 'pem' }).toString().trim()
}

async function makeRoot({ directory, clock }: CaOptions): Promise<Root> {
  const pair = await makePair()
  const nowMs = clock.wallMs()
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: makeSerial(),
    name: 'CN=OpenMaaS CA',
    notBefore: new Date(nowMs - DAY_MS),
    notAfter: new Date(nowMs + ROOT_LIFETIME_MS),
    keys: pair,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
      await x509.SubjectKeyIdentifierExtension.create(pair.publicKey),
    ],
  })
  const text = `${await exportKey(pair.privateKey)}\n${certificate.toString('pem')}\n`
  writePrivateFile(join(directory, 'root.pem'), text)
  return { pair, certificate }
}

async function loadRoot({ directory }: CaOptions): Promise<Root | undefined> {
  const path = join(directory, 'root.pem')
  const stored = readPrivateFile(path)
  if (stored === undefined) return undefined
  try {
    const [keyPem = '', certificatePem = ''] = splitPem(stored)
    const der = createPrivateKey(keyPem).export({ type: 'pkcs8', format: 'der' })
    const { subtle } = webcrypto
    const privateKey = await subtle.importKey('pkcs8', der, ALGORITHM, true, ['sign'])
    const certificate = new x509.X509Certificate(certificatePem)
    if (!new ParsedCertificate(certificatePem).checkPrivateKey(createPrivateKey(keyPem))) {
      throw new Error('key and certificate do not belong together')
    }
    const publicKey = await certificate.publicKey.export(ALGORITHM, ['verify'])
    return { pair: { publicKey, privateKey }, certificate }
  } catch (cause) {
    // Never made anew over a damaged one: every host would have to join again.
    throw damaged(path, cause)
  }
}

function makeTicketKey(path: string): string {
  const { privateKey } = generateKeyPairSync('ed25519')
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  writePrivateFile(path, pem)
  return pem
}

function splitPem(text: string): string[] {
  return text.match(/-----BEGIN [A-Z ]+-----[^-]+-----END [A-Z ]+-----/g) ?? []
}

function damaged(path: string, cause: unknown): MaasError {
  return new MaasError('CA_INVALID', `${path} does not hold what it should`, { path }, { cause })
}
