/** Certificates and tickets for the tests of the node's ports, made by openssl and this process. */
import { execFileSync } from 'node:child_process'
import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import {
  signTicket,
  type TicketFields,
  type TicketKey,
  type TicketSigner,
} from '@openmaas/protocols/channel/ticket'
import type { AgentIdentity } from '@openmaas/agent/remote/channel-messages'
import type { NodeTls } from '../security.ts'

export const HOST_ID = 'hst_agent'

export class Pki {
  readonly #directory: string
  readonly authorities: string
  /** The node's certificate, and its fingerprint as control names it. */
  readonly node: NodeTls
  readonly fingerprint: string
  readonly #signer: TicketSigner
  readonly ticketKeys: readonly TicketKey[]

  constructor(directory: string) {
    this.#directory = directory
    this.#openssl('req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2', [
      '-keyout',
      'ca.key',
      '-out',
      'ca.pem',
      '-subj',
      '/CN=test',
    ])
    this.authorities = this.#read('ca.pem')
    this.node = this.makeNode('node')
    const { fingerprint256 } = new X509Certificate(this.node.certificate)
    this.fingerprint = `sha256:${fingerprint256}`
    const { privateKey, publicKey } = generateKeyPairSync('ed25519')
    this.#signer = { keyId: 'k1', privateKey, nowMs: Date.now() }
    const pem = publicKey.export({ type: 'spki', format: 'pem' }) as string
    this.ticketKeys = [{ id: 'k1', publicKey: pem }]
  }

  /** Another certificate of the same node, as after a renewal. */
  makeNode(name: string): NodeTls {
    const { certificate, key } = this.identity('urn:openmaas:host:hst_node', name)
    return { certificate, key, authorities: this.authorities }
  }

  /** A certificate of our authority with that URI in it. */
  identity(uri = `urn:openmaas:host:${HOST_ID}`, name = 'host'): AgentIdentity {
    writeFileSync(`${this.#directory}/${name}.ext`, `subjectAltName=URI:${uri}\n`)
    this.#openssl('req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes', [
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.csr`,
      '-subj',
      `/CN=${name}`,
    ])
    this.#openssl('x509 -req -CA ca.pem -CAkey ca.key -CAcreateserial -days 1', [
      '-in',
      `${name}.csr`,
      '-extfile',
      `${name}.ext`,
      '-out',
      `${name}.pem`,
    ])
    const caCertificate = this.authorities
    return { certificate: this.#read(`${name}.pem`), key: this.#read(`${name}.key`), caCertificate }
  }

  ticket(fields: Partial<TicketFields> & Pick<TicketFields, 'poolId'>): string {
    const base = { purpose: 'capture', sourceId: 'src_1', hostId: HOST_ID } as const
    return signTicket({ ...base, expiresAt: Date.now() + 60_000, ...fields }, this.#signer)
  }

  #openssl(command: string, more: readonly string[]): void {
    const options = { cwd: this.#directory, stdio: 'pipe' } as const
    execFileSync('openssl', [...command.split(' '), ...more], options)
  }

  #read(name: string): string {
    return readFileSync(`${this.#directory}/${name}`, 'utf8')
  }
}
