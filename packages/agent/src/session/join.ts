/**
 * `openmaas agent join URL --token T --fingerprint F`: the server is recognised by its
 * fingerprint first, then the token buys a certificate for a key made here.
 */
import { request } from 'node:https'
import { z } from 'zod'
import type { Clock } from '@openmaas/kernel/clock'
import { ERRORS, MaasError } from '@openmaas/kernel/errors'
import type { ErrorCode } from '@openmaas/kernel/errors'
import { CHANNEL_PORT } from '@openmaas/protocols/channel/frames'
import { describeHost } from './about.ts'
import { checkCertificate, findIdentity, makeKeyRequest, saveIdentity } from './identity.ts'
import type { Identity } from './identity.ts'
import { checkControl, explainTlsError, findPinned } from './server-identity.ts'

const TIMEOUT_MS = 30_000
/** Two certificates and an id. */
const ANSWER_SIZE_MAX = 64 * 1024

const answerSchema = z.object({
  hostId: z.string(),
  name: z.string(),
  certificate: z.string(),
  caCertificate: z.string(),
  wallMs: z.number(),
})
const refusalSchema = z.object({ code: z.string(), message: z.string() })

export interface JoinOptions {
  /** `https://server` or `https://server:port`; the channel's port by default. */
  readonly url: string
  readonly token: string
  readonly fingerprint: string
  /** By which people know this host. */
  readonly name: string
  readonly kind: 'agent' | 'node'
  readonly software: string
  /** The agent's data directory. */
  readonly directory: string
  readonly clock: Clock
}

/**
 * @throws MaasError JOIN_ALREADY, USAGE, CHANNEL_UNREACHABLE, SERVER_NOT_TRUSTED,
 *   JOIN_TOKEN_INVALID, HOST_CLOCK_WRONG, CERTIFICATE_INVALID
 */
export async function join(options: JoinOptions): Promise<Identity> {
  const { directory, kind, software, clock, name, token } = options
  if (findIdentity(directory) !== undefined) {
    throw new MaasError('JOIN_ALREADY', `${directory} holds the identity of a host`, { directory })
  }
  const url = parseServerUrl(options.url)
  const pinned = await findPinned(url, options.fingerprint)
  const { key, csr } = await makeKeyRequest()
  const about = describeHost()
  const body = { token, csr, name, kind, software, about, wallMs: clock.wallMs() }
  const answer = parseAnswer(await post(url, pinned, JSON.stringify(body)))
  const { hostId, certificate, caCertificate } = answer
  const identity: Identity = {
    version: 1,
    hostId,
    name: answer.name,
    kind,
    serverUrl: url.origin,
    caCertificate,
    key,
    certificate,
    ...(kind === 'node' && { portKey: key, portCertificate: certificate }),
  }
  checkCertificate(certificate, identity)
  saveIdentity(directory, identity)
  return identity
}

function parseAnswer(text: string): z.infer<typeof answerSchema> {
  try {
    return answerSchema.parse(JSON.parse(text))
  } catch (cause) {
    const message = 'the server did not answer as a server of ours'
    throw new MaasError('CHANNEL_PROTOCOL_VIOLATION', message, {}, { cause })
  }
}

/** @throws MaasError USAGE */
export function parseServerUrl(text: string): URL {
  const url = URL.parse(text.includes('://') ? text : `https://${text}`)
  if (url === null || url.protocol !== 'https:' || url.hostname === '') {
    throw new MaasError('USAGE', 'the server is named by https://host or https://host:port', {
      url: text,
    })
  }
  // The parser drops a port that is the scheme's own.
  if (url.port === '' && !/:443(?:\/|$)/.test(text)) url.port = String(CHANNEL_PORT)
  return url
}

function post(url: URL, pinned: string, body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request(
      new URL('/join', url),
      {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        ca: pinned,
        // The pinned one may be the server's own and not a root.
        allowPartialTrustChain: true,
        checkServerIdentity: checkControl,
        minVersion: 'TLSv1.3',
        agent: false,
        timeout: TIMEOUT_MS,
      },
      (response) => {
        const pieces: Buffer[] = []
        let size = 0
        response.on('data', (piece: Buffer) => {
          size += piece.length
          if (size > ANSWER_SIZE_MAX) asked.destroy(new Error('the answer is too long'))
          else pieces.push(piece)
        })
        response.on('error', (error) => reject(explainTlsError(url, error)))
        response.on('end', () => {
          const text = Buffer.concat(pieces).toString('utf8')
          if (response.statusCode === 200) resolve(text)
          else reject(parseRefusal(text, response.statusCode ?? 0))
        })
      },
    )
    asked.on('timeout', () => asked.destroy(new Error('timed out')))
    asked.on('error', (error) => reject(explainTlsError(url, error)))
    asked.end(body)
  })
}

/** What a server says when it refuses: a code of the table, or somebody else's page. */
export function parseRefusal(text: string, status: number): MaasError {
  let refusal: z.infer<typeof refusalSchema>
  try {
    refusal = refusalSchema.parse(JSON.parse(text))
  } catch (cause) {
    const message = `the server answered ${status}, and not as a server of ours`
    return new MaasError('CHANNEL_PROTOCOL_VIOLATION', message, { status }, { cause })
  }
  const known = Object.hasOwn(ERRORS, refusal.code)
  const code = known ? (refusal.code as ErrorCode) : 'CHANNEL_PROTOCOL_VIOLATION'
  return new MaasError(code, refusal.message, { status })
}
