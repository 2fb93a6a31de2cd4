/** Certificate requests as an agent makes them. */
import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import * as x509 from '@peculiar/x509'

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

export async function makeRequest(name: string): Promise<string> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const signed = { name, keys, signingAlgorithm: ALGORITHM }
  const request = await x509.Pkcs10CertificateRequestGenerator.create(signed)
  return request.toString('pem')
}
