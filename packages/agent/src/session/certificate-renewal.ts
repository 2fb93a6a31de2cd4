/**
 * A new certificate at two thirds of the old one's life, for a new key, through the channel. The
 * old one is used until the new pair is on disk; open connections keep what they began with.
 */
import { X509Certificate } from 'node:crypto'
import { makeLog } from '@openmaas/kernel/log'
import { checkCertificate, makeKeyRequest, saveIdentity } from './identity.ts'
import type { Identity } from './identity.ts'

const log = makeLog('openmaas:agent:renewal')

/** Ten days are left when it begins; asking once an hour is often enough. */
const ASK_EVERY_MS = 3600_000

export interface RenewalOptions {
  readonly identity: Identity
  readonly directory: string
  readonly onIdentity?: (identity: Identity) => void
}

export class CertificateRenewal {
  readonly #directory: string
  readonly #onIdentity: ((identity: Identity) => void) | undefined
  #identity: Identity
  #renewAtMs: number
  /** Key of the request that is under way. */
  #pendingKey: string | undefined

  constructor(options: RenewalOptions) {
    this.#directory = options.directory
    this.#onIdentity = options.onIdentity
    this.#identity = options.identity
    this.#renewAtMs = twoThirds(options.identity)
  }

  get identity(): Identity {
    return this.#identity
  }

  /** @param controlMs control's time: a wrong clock here must not let a certificate run out */
  isDue(controlMs: number): boolean {
    return controlMs >= this.#renewAtMs
  }

  /** @returns the request to send */
  async ask(controlMs: number): Promise<string> {
    this.#renewAtMs = controlMs + ASK_EVERY_MS
    const { key, csr } = await makeKeyRequest()
    this.#pendingKey = key
    return csr
  }

  /**
   * @returns false for a certificate that nobody asked for
   * @throws MaasError CERTIFICATE_INVALID, FS_*
   */
  accept(certificate: string): boolean {
    const key = this.#pendingKey
    if (key === undefined) return false
    const next: Identity = { ...this.#identity, key, certificate }
    const { validTo } = checkCertificate(certificate, next)
    saveIdentity(this.#directory, next)
    this.#pendingKey = undefined
    this.#identity = next
    this.#renewAtMs = twoThirds(next)
    log.info('certificate renewed', { validTo })
    this.#onIdentity?.(next)
    return true
  }
}

function twoThirds({ certificate }: Identity): number {
  const { validFromDate, validToDate } = new X509Certificate(certificate)
  const begin = validFromDate.getTime()
  return begin + ((validToDate.getTime() - begin) * 2) / 3
}
