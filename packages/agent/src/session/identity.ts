/**
 * Who this host is to control: one file of mode 0600 in the agent's data directory, so that key
 * and certificate change together. The key never leaves the machine.
 */
import 'reflect-metadata' // @peculiar/x509 needs it, before itself.
import { createHash, createPrivateKey, webcrypto, X509Certificate } from 'node:crypto'
import * as x509 from '@peculiar/x509'
import { z } from 'zod'
import { MaasError } from '@openmaas/kernel/errors'
import { makeDirectories } from '@openmaas/kernel/make-directories'
import { readPrivateFile, writePrivateFile } from '@openmaas/kernel/private-file'
import { identityFileOf } from './identity-file.ts'

x509.cryptoProvider.set(webcrypto)

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

const identitySchema = z.object({
  version: z.literal(1),
  hostId: z.string().regex(/^hst_[0-9A-Z]{26}$/),
  name: z.string(),
  kind: z.enum(['agent', 'node']),
  /** `https://server:8731`. */
  serverUrl: z.url({ protocol: /^https$/ }),
  caCertificate: z.string(),
  key: z.string(),
  certificate: z.string(),
  /**
   * What a node's own ports show, from when it joined. Clients pin it by its fingerprint, for as
   * long as a medium is attached, so it outlives renewals; its dates mean nothing.
   */
  portKey: z.string().optional(),
  portCertificate: z.string().optional(),
})
export type Identity = z.infer<typeof identitySchema>

/** @throws MaasError JOIN_MISSING, CONFIG_INVALID, FS_* */
export function loadIdentity(directory: string): Identity {
  const identity = findIdentity(directory)
  if (identity !== undefined) return identity
  const path = identityFileOf(directory)
  throw new MaasError('JOIN_MISSING', `this machine has not joined: no ${path}`, { path })
}

/** @throws MaasError CONFIG_INVALID, FS_* */
export function findIdentity(directory: string): Identity | undefined {
  const path = identityFileOf(directory)
  const text = readPrivateFile(path)
  if (text === undefined) return undefined
  try {
    return identitySchema.parse(JSON.parse(text))
  } catch (cause) {
    throw new MaasError('CONFIG_INVALID', `${path} is damaged`, { path }, { cause })
  }
}

export function saveIdentity(directory: string, identity: Identity): void {
  makeDirectories(directory, 0o700)
  writePrivateFile(identityFileOf(directory), `${JSON.stringify(identity, null, 2)}\n`)
}

/** For the listeners of a node. */
export function portTlsOf(identity: Identity): {
  readonly key: string
  readonly certificate: string
} {
  const { portKey: key = identity.key, portCertificate: certificate = identity.certificate } =
    identity
  return { key, certificate }
}

/** `sha256:` and 64 hexadecimal digits. */
export function fingerprintOf(certificate: string): string {
  return `sha256:${createHash('sha256').update(new X509Certificate(certificate).raw).digest('hex')}`
}

export interface KeyRequest {
  /** PKCS 8, PEM. */
  readonly key: string
  readonly csr: string
}

/** A new key, and the request for a certificate that it signs. Control chooses the name. */
export async function makeKeyRequest(): Promise<KeyRequest> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: 'CN=openmaas host',
    keys,
    signingAlgorithm: ALGORITHM,
  })
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey))
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  return {
    key: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
    csr: request.toString('pem'),
  }
}

/**
 * Whether what came back is a certificate of that CA for that key and host.
 *
 * @throws MaasError CERTIFICATE_INVALID
 */
export function checkCertificate(
  certificate: string,
  { key, hostId, caCertificate }: Pick<Identity, 'key' | 'hostId' | 'caCertificate'>,
): X509Certificate {
  let parsed: X509Certificate
  let good: boolean
  try {
    parsed = new X509Certificate(certificate)
    good =
      parsed.checkPrivateKey(createPrivateKey(key)) &&
      parsed.verify(new X509Certificate(caCertificate).publicKey) &&
      parsed.subjectAltName === `URI:urn:openmaas:host:${hostId}`
  } catch (cause) {
    throw new MaasError('CERTIFICATE_INVALID', 'control sent no certificate', {}, { cause })
  }
  if (!good) throw new MaasError('CERTIFICATE_INVALID', 'the certificate is not for this host')
  return parsed
}
