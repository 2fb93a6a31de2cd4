/**
 * The client side of the fixed newstyle handshake, as a state machine without I/O.
 *
 *   greeting ──▶ STARTTLS (when TLS is wanted) ──ACK──▶ tls ──secured()──┐
 *      └──▶ STRUCTURED_REPLY ◀─────────────────────────────────────────┘
 *              │ACK                    │refused
 *              ▼                       │
 *           SET_META_CONTEXT ──────────┤
 *                                      ▼
 *                                     GO ──ACK──▶ transmission
 *                                      └──unknown to the server──▶ EXPORT_NAME ──▶ transmission
 *
 * TLS is never given up when it was asked for: a refusal ends the attempt, so nobody in the
 * middle can talk the client down. Specification: NBD doc/proto.md.
 */
import { assert } from '@openmaas/kernel/assert'
import { MaasError } from '@openmaas/kernel/errors'
import { KiB } from '@openmaas/kernel/units'
import {
  encodeInfoQuery,
  encodeMetaContextQuery,
  encodeOption,
  readUInt64,
  violation,
} from './codec.ts'
import type { BlockSizes } from './codec.ts'
import * as nbd from './constants.ts'

/** What the server said of the export. */
export interface ClientAgreement {
  readonly size: number
  /** Transmission flags. */
  readonly flags: number
  readonly structured: boolean
  /** The id of base:allocation; undefined when block status is not to be had. */
  readonly contextId: number | undefined
  readonly blockSizes: BlockSizes
}

export interface ClientHandshakeOptions {
  readonly exportName: string
  readonly tls: boolean
}

/** One reply of the server: a message for people or an item of information. */
const REPLY_SIZE_MAX = 64 * KiB
/** Replies to one option. GO has four items and an end. */
const REPLY_COUNT_MAX = 64
/** What the protocol lets a client assume of a server that does not say. */
const DEFAULT_BLOCK_SIZES: BlockSizes = {
  minimum: 1,
  preferred: 4 * KiB,
  maximum: nbd.REQUEST_SIZE_MAX,
}

type State = 'greeting' | 'option' | 'exportName' | 'tls' | 'transmission'

export class NbdClientHandshake {
  readonly #options: ClientHandshakeOptions
  #state: State = 'greeting'
  #pending: Buffer = Buffer.alloc(0)
  #option = 0
  #replyCount = 0
  #noZeroes = false
  #structured = false
  #contextId: number | undefined
  #size: number | undefined
  #flags = 0
  #blockSizes = DEFAULT_BLOCK_SIZES

  constructor(options: ClientHandshakeOptions) {
    this.#options = options
  }

  get state(): State {
    return this.#state
  }

  get agreement(): ClientAgreement {
    assert(this.#state === 'transmission', 'the handshake has reached transmission')
    assert(this.#size !== undefined, 'the size was told before transmission')
    return {
      size: this.#size,
      flags: this.#flags,
      structured: this.#structured,
      contextId: this.#contextId,
      blockSizes: this.#blockSizes,
    }
  }

  /** The connection is encrypted from here on. @returns what to send */
  secured(): Buffer[] {
    assert(this.#state === 'tls', 'TLS was agreed')
    return [this.#ask(nbd.NBD_OPT_STRUCTURED_REPLY)]
  }

  /**
   * @returns what to send
   * @throws MaasError NBD_PROTOCOL_VIOLATION, NBD_EXPORT_UNKNOWN, NBD_TLS_REQUIRED,
   *   NBD_SERVER_UNSUPPORTED, NBD_UNREACHABLE; the attempt is over
   */
  receive(bytes: Buffer): Buffer[] {
    this.#pending = Buffer.concat([this.#pending, bytes])
    const messages: Buffer[] = []
    while (this.#step(messages)) {
      // One whole message was consumed; try the next.
    }
    return messages
  }

  #step(messages: Buffer[]): boolean {
    switch (this.#state) {
      case 'greeting': {
        if (this.#pending.length < nbd.GREETING_SIZE) return false
        messages.push(...this.#answerGreeting(this.#take(nbd.GREETING_SIZE)))
        return true
      }
      case 'option': {
        if (this.#pending.length < nbd.OPTION_REPLY_HEADER_SIZE) return false
        const size = this.#pending.readUInt32BE(16)
        if (this.#pending.readBigUInt64BE(0) !== nbd.NBD_REP_MAGIC) {
          throw violation('bad option reply magic')
        }
        if (size > REPLY_SIZE_MAX) throw violation('option reply too long', size)
        if (this.#pending.length < nbd.OPTION_REPLY_HEADER_SIZE + size) return false
        const header = this.#take(nbd.OPTION_REPLY_HEADER_SIZE)
        const option = header.readUInt32BE(8)
        if (option !== this.#option) throw violation('reply to another option', option)
        this.#replyCount += 1
        if (this.#replyCount > REPLY_COUNT_MAX) throw violation('too many replies')
        messages.push(...this.#answerReply(header.readUInt32BE(12), this.#take(size)))
        return true
      }
      case 'exportName': {
        const size = this.#noZeroes ? 10 : 10 + 124
        if (this.#pending.length < size) return false
        this.#acceptExport(this.#take(size), 0)
        this.#state = 'transmission'
        return true
      }
      case 'tls':
        if (this.#pending.length > 0) throw violation('bytes in the clear after STARTTLS')
        return false
      case 'transmission':
        if (this.#pending.length > 0) throw violation('a reply before any request')
        return false
    }
  }

  #take(size: number): Buffer {
    const bytes = this.#pending.subarray(0, size)
    this.#pending = this.#pending.subarray(size)
    return bytes
  }

  #ask(option: number, data?: Buffer): Buffer {
    this.#state = 'option'
    this.#option = option
    this.#replyCount = 0
    return encodeOption(option, data)
  }

  #answerGreeting(bytes: Buffer): Buffer[] {
    if (bytes.readBigUInt64BE(0) !== nbd.NBDMAGIC) throw violation('not an NBD server')
    const newstyle = bytes.readBigUInt64BE(8) === nbd.IHAVEOPT
    const flags = bytes.readUInt16BE(16)
    if (!newstyle || (flags & nbd.NBD_FLAG_FIXED_NEWSTYLE) === 0) {
      throw new MaasError('NBD_SERVER_UNSUPPORTED', 'the server does not speak fixed newstyle NBD')
    }
    this.#noZeroes = (flags & nbd.NBD_FLAG_NO_ZEROES) !== 0
    const clientFlags = Buffer.alloc(4)
    const noZeroes = this.#noZeroes ? nbd.NBD_FLAG_C_NO_ZEROES : 0
    clientFlags.writeUInt32BE(nbd.NBD_FLAG_C_FIXED_NEWSTYLE | noZeroes, 0)
    const first = this.#options.tls ? nbd.NBD_OPT_STARTTLS : nbd.NBD_OPT_STRUCTURED_REPLY
    return [clientFlags, this.#ask(first)]
  }

  #answerReply(type: number, data: Buffer): Buffer[] {
    if (type === nbd.NBD_REP_ERR_SHUTDOWN) {
      throw new MaasError('NBD_UNREACHABLE', 'the server is shutting down')
    }
    if (type === nbd.NBD_REP_ERR_TLS_REQD) {
      throw new MaasError('NBD_TLS_REQUIRED', 'the server wants TLS')
    }
    const refused = type >= nbd.NBD_REP_FLAG_ERROR
    const ended = refused || type === nbd.NBD_REP_ACK
    switch (this.#option) {
      case nbd.NBD_OPT_STARTTLS:
        if (!ended) throw violation('unexpected reply to STARTTLS', type)
        if (refused) throw new MaasError('NBD_SERVER_UNSUPPORTED', 'the server refuses TLS')
        this.#state = 'tls'
        return []
      case nbd.NBD_OPT_STRUCTURED_REPLY: {
        if (!ended) throw violation('unexpected reply to STRUCTURED_REPLY', type)
        this.#structured = !refused
        if (refused) return [this.#askGo()]
        const queries = [nbd.BASE_ALLOCATION]
        const query = encodeMetaContextQuery({ name: this.#options.exportName, queries })
        return [this.#ask(nbd.NBD_OPT_SET_META_CONTEXT, query)]
      }
      case nbd.NBD_OPT_SET_META_CONTEXT:
        // A server that restarts may offer the export between this option and the next: then GO
        // would succeed, without the context.
        if (type === nbd.NBD_REP_ERR_UNKNOWN) throw exportUnknown(this.#options.exportName)
        if (type === nbd.NBD_REP_META_CONTEXT) this.#acceptContext(data)
        else if (!ended) throw violation('unexpected reply to SET_META_CONTEXT', type)
        if (refused) this.#contextId = undefined
        return ended ? [this.#askGo()] : []
      default:
        return this.#answerGo(type, data)
    }
  }

  #askGo(): Buffer {
    const { exportName } = this.#options
    const query = encodeInfoQuery({ name: exportName, infos: [nbd.NBD_INFO_BLOCK_SIZE] })
    return this.#ask(nbd.NBD_OPT_GO, query)
  }

  #answerGo(type: number, data: Buffer): Buffer[] {
    const name = this.#options.exportName
    switch (type) {
      case nbd.NBD_REP_INFO:
        this.#acceptInfo(data)
        return []
      case nbd.NBD_REP_ACK:
        if (this.#size === undefined) throw violation('GO ended without NBD_INFO_EXPORT')
        this.#state = 'transmission'
        return []
      case nbd.NBD_REP_ERR_UNSUP:
        this.#state = 'exportName'
        return [encodeOption(nbd.NBD_OPT_EXPORT_NAME, Buffer.from(name))]
      case nbd.NBD_REP_ERR_UNKNOWN:
        throw exportUnknown(name)
      default: {
        if (type < nbd.NBD_REP_FLAG_ERROR) throw violation('unexpected reply to GO', type)
        const reason = data.subarray(0, nbd.STRING_SIZE_MAX).toString()
        throw new MaasError('NBD_SERVER_UNSUPPORTED', 'the server refuses the export', {
          name,
          reason,
          reply: type - nbd.NBD_REP_FLAG_ERROR,
        })
      }
    }
  }

  #acceptContext(data: Buffer): void {
    if (data.length < 4) throw violation('short metadata context', data.length)
    if (data.subarray(4).toString() !== nbd.BASE_ALLOCATION) {
      throw violation('a metadata context that was not asked for')
    }
    this.#contextId = data.readUInt32BE(0)
  }

  #acceptInfo(data: Buffer): void {
    if (data.length < 2) throw violation('short information item', data.length)
    const info = data.readUInt16BE(0)
    if (info === nbd.NBD_INFO_EXPORT) {
      if (data.length !== 12) throw violation('bad NBD_INFO_EXPORT', data.length)
      this.#acceptExport(data, 2)
    }
    if (info === nbd.NBD_INFO_BLOCK_SIZE) {
      if (data.length !== 14) throw violation('bad NBD_INFO_BLOCK_SIZE', data.length)
      this.#acceptBlockSizes(data)
    }
  }

  #acceptExport(bytes: Buffer, at: number): void {
    const size = readUInt64(bytes, at)
    if (size === undefined) {
      throw new MaasError('NBD_SERVER_UNSUPPORTED', 'the export is larger than 8 PiB')
    }
    this.#size = size
    this.#flags = bytes.readUInt16BE(at + 8)
  }

  #acceptBlockSizes(data: Buffer): void {
    const [minimum, preferred] = [data.readUInt32BE(2), data.readUInt32BE(6)]
    const maximum = Math.min(data.readUInt32BE(10), nbd.REQUEST_SIZE_MAX)
    const power = (value: number): boolean => value > 0 && Number.isInteger(Math.log2(value))
    if (!power(minimum) || !power(preferred) || maximum < minimum) {
      throw violation('impossible block sizes', `${minimum}/${preferred}/${maximum}`)
    }
    this.#blockSizes = { minimum, preferred, maximum }
  }
}

function exportUnknown(name: string): MaasError {
  return new MaasError('NBD_EXPORT_UNKNOWN', 'the server has no such export', { name })
}
