/** Sends syslog messages to one server: over UDP, TCP, or TLS with a verified certificate. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect as connectTcp, isIPv6 } from 'node:net'
import type { Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { MaasError } from '@openmaas/kernel/errors'
import { datagramOf, frameSyslog } from './syslog.ts'

export interface SyslogTarget {
  /** `host:port`, `[::1]:514`; without a port that of the transport. */
  readonly address: string
  readonly transport: 'udp' | 'tcp' | 'tls'
  /** PEM of the authority, where it is none of the system's. */
  readonly ca?: string | undefined
}

/** RFC 5426, RFC 6587, RFC 5425. */
const PORTS = { udp: 514, tcp: 514, tls: 6514 } as const
const CONNECT_TIMEOUT_MS = 10_000

export function parseTarget(target: SyslogTarget): { host: string; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(target.address)
  const host = match?.[1] ?? match?.[2] ?? (isIPv6(target.address) ? target.address : undefined)
  const port = Number(match?.[3] ?? PORTS[target.transport])
  if (host === undefined || port < 1 || port > 65_535) {
    const details = { address: target.address, pointer: '/auditSyslog/address' }
    throw new MaasError('REQUEST_INVALID', 'an address of syslog is host:port', details)
  }
  return { host, port }
}

export class SyslogSender implements AsyncDisposable {
  readonly #target: SyslogTarget
  #socket: Socket | undefined

  constructor(target: SyslogTarget) {
    this.#target = target
  }

  /**
   * Resolves when the kernel has taken them: syslog has no acknowledgement, so what was on the way
   * when a connection broke is lost without anybody knowing (RFC 5425, 4.4).
   *
   * @throws MaasError SYSLOG_UNREACHABLE
   */
  async send(messages: readonly string[]): Promise<void> {
    try {
      if (this.#target.transport === 'udp') await this.#sendDatagrams(messages)
      else await this.#sendFrames(messages)
    } catch (cause) {
      this.#socket?.destroy()
      this.#socket = undefined
      const { address, transport } = this.#target
      const reason = cause instanceof Error ? cause.message : String(cause)
      const details = { address, transport, reason }
      throw new MaasError('SYSLOG_UNREACHABLE', 'cannot send to syslog', details, { cause })
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const socket = this.#socket
    this.#socket = undefined
    if (socket === undefined || socket.destroyed) return
    socket.end()
    await once(socket, 'close')
  }

  async #sendDatagrams(messages: readonly string[]): Promise<void> {
    const { host, port } = parseTarget(this.#target)
    const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4')
    try {
      for (const message of messages) {
        await new Promise<void>((resolve, reject) => {
          socket.send(datagramOf(message), port, host, (error) => {
            if (error === null) resolve()
            else reject(error)
          })
        })
      }
    } finally {
      socket.close()
    }
  }

  async #sendFrames(messages: readonly string[]): Promise<void> {
    const socket = await this.#connect()
    const bytes = Buffer.concat(messages.map((message) => frameSyslog(message)))
    await new Promise<void>((resolve, reject) => {
      socket.write(bytes, (error) => {
        if (error === undefined || error === null) resolve()
        else reject(error)
      })
    })
  }

  async #connect(): Promise<Socket> {
    const known = this.#socket
    if (known !== undefined && known.writable) return known
    const { host, port } = parseTarget(this.#target)
    const { ca, transport } = this.#target
    const signal = AbortSignal.timeout(CONNECT_TIMEOUT_MS)
    const socket =
      transport === 'tls'
        ? connectTls({ host, port, minVersion: 'TLSv1.2', ...(ca === undefined ? {} : { ca }) })
        : connectTcp({ host, port })
    try {
      await once(socket, transport === 'tls' ? 'secureConnect' : 'connect', { signal })
    } catch (error) {
      socket.destroy()
      throw error
    }
    // A connection that breaks between two messages is made anew with the next.
    socket.on('error', () => socket.destroy())
    socket.on('data', () => undefined)
    socket.on('end', () => socket.destroy())
    socket.unref()
    this.#socket = socket
    return socket
  }
}
