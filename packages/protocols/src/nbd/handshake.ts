/**
 * The server side of the fixed newstyle handshake, as a state machine without I/O.
 *
 *   clientFlags ──4 bytes──▶ options ──EXPORT_NAME, GO──▶ transmission
 *                             │ ▲ │ └──ABORT, or EXPORT_NAME unknown──▶ closed
 *                             │ │ └──STARTTLS──▶ tls ──secured()──▶ options
 *                             └─┘ any other option: answered, state kept
 *
 * The socket loop feeds bytes and sends what comes back; so every path can be tested with
 * literal bytes, in any fragmentation. After STARTTLS everything negotiated before is forgotten,
 * and bytes that were sent in the clear behind it are a violation (they could be injected).
 * Specification: NBD doc/proto.md, "Fixed newstyle negotiation".
 */
import type { BlockDevice } from '@openmaas/kernel/block-device'
import { assert } from '@openmaas/kernel/assert'
import { MaasError } from '@openmaas/kernel/errors'
import {
  decodeInfoQuery,
  decodeMetaContextQuery,
  decodeString,
  encodeGreeting,
  encodeInfoBlockSize,
  encodeInfoExport,
  encodeInfoText,
  encodeOptionError,
  encodeOptionReply,
  violation,
} from './codec.ts'
import * as nbd from './constants.ts'
import { exportBlockSizes, transmissionFlags } from './export.ts'
import type { NbdAgreement, NbdExport, NbdExports } from './export.ts'

export type TlsMode = 'off' | 'allow' | 'require'

export type HandshakeState = 'clientFlags' | 'options' | 'tls' | 'transmission' | 'closed'

export interface HandshakeOptions {
  readonly exports: NbdExports
  readonly tls: TlsMode
}

/** The metadata context id given to base:allocation; the only one there is. */
export const BASE_ALLOCATION_ID = 1

export class NbdHandshake {
  #exports: NbdExports
  readonly #tls: TlsMode
  #state: HandshakeState = 'clientFlags'
  #secure = false
  #pending: Buffer = Buffer.alloc(0)
  #optionCount = 0
  #noZeroes = false
  #structured = false
  /** The export for which base:allocation was last selected. */
  #contextExport: string | undefined
  #agreement: NbdAgreement | undefined

  constructor(options: HandshakeOptions) {
    this.#exports = options.exports
    this.#tls = options.tls
  }

  get state(): HandshakeState {
    return this.#state
  }

  /** What the server says first. */
  greeting(): Buffer {
    return encodeGreeting()
  }

  /** What was agreed; only in state transmission. */
  get agreement(): NbdAgreement {
    assert(this.#agreement !== undefined, 'the handshake has reached transmission')
    return this.#agreement
  }

  /** Bytes that arrived behind the handshake: the first requests. */
  takeRest(): Buffer {
    assert(this.#state === 'transmission', 'the handshake has reached transmission')
    const rest = this.#pending
    this.#pending = Buffer.alloc(0)
    return rest
  }

  /**
   * The connection is encrypted from here on: negotiation begins anew.
   *
   * @param exports what this client may open, now that it has shown who it is; default: as before
   */
  secured(exports: NbdExports = this.#exports): void {
    assert(this.#state === 'tls', 'TLS was asked for')
    this.#exports = exports
    this.#secure = true
    this.#structured = false
    this.#contextExport = undefined
    this.#state = 'options'
  }

  /**
   * Consumes bytes as they arrive; a partial message waits for the rest.
   *
   * @returns the replies to send, in order
   * @throws MaasError NBD_PROTOCOL_VIOLATION, NBD_EXPORT_UNKNOWN, NBD_TLS_REQUIRED; the caller
   *   drops the connection
   */
  receive(bytes: Buffer): Buffer[] {
    this.#pending = Buffer.concat([this.#pending, bytes])
    const replies: Buffer[] = []
    while (this.#step(replies)) {
      // One whole message was consumed; try the next.
    }
    return replies
  }

  #step(replies: Buffer[]): boolean {
    switch (this.#state) {
      case 'clientFlags': {
        if (this.#pending.length < 4) return false
        const flags = this.#take(4).readUInt32BE(0)
        const known = nbd.NBD_FLAG_C_FIXED_NEWSTYLE | nbd.NBD_FLAG_C_NO_ZEROES
        if ((flags & ~known) !== 0) throw violation('unknown client flags', flags)
        if ((flags & nbd.NBD_FLAG_C_FIXED_NEWSTYLE) === 0) {
          throw violation('not fixed newstyle', flags)
        }
        this.#noZeroes = (flags & nbd.NBD_FLAG_C_NO_ZEROES) !== 0
        this.#state = 'options'
        return true
      }
      case 'options': {
        if (this.#pending.length < nbd.OPTION_HEADER_SIZE) return false
        const size = this.#pending.readUInt32BE(12)
        if (this.#pending.readBigUInt64BE(0) !== nbd.IHAVEOPT) throw violation('bad option magic')
        if (size > nbd.OPTION_SIZE_MAX) throw violation('option too long', size)
        if (this.#pending.length < nbd.OPTION_HEADER_SIZE + size) return false
        if (this.#optionCount === nbd.OPTION_COUNT_MAX) throw violation('too many options')
        this.#optionCount += 1
        const option = this.#take(nbd.OPTION_HEADER_SIZE).readUInt32BE(8)
        replies.push(...this.#answer(option, this.#take(size)))
        return true
      }
      case 'tls':
        if (this.#pending.length > 0) throw violation('bytes in the clear after STARTTLS')
        return false
      case 'transmission':
      case 'closed':
        return false
    }
  }

  #take(size: number): Buffer {
    const bytes = this.#pending.subarray(0, size)
    this.#pending = this.#pending.subarray(size)
    return bytes
  }

  #answer(option: number, data: Buffer): Buffer[] {
    const open = option === nbd.NBD_OPT_STARTTLS || option === nbd.NBD_OPT_ABORT
    if (this.#tls === 'require' && !this.#secure && !open) return [this.#refusePlain(option)]
    switch (option) {
      case nbd.NBD_OPT_EXPORT_NAME:
        return this.#answerExportName(data)
      case nbd.NBD_OPT_ABORT:
        this.#state = 'closed'
        return [encodeOptionReply(option, nbd.NBD_REP_ACK)]
      case nbd.NBD_OPT_LIST:
        return data.length > 0 ? [dataRefused(option)] : this.#answerList()
      case nbd.NBD_OPT_STARTTLS:
        return [data.length > 0 ? dataRefused(option) : this.#answerStartTls()]
      case nbd.NBD_OPT_INFO:
      case nbd.NBD_OPT_GO:
        return this.#answerInfo(option, data)
      case nbd.NBD_OPT_STRUCTURED_REPLY:
        if (data.length > 0) return [dataRefused(option)]
        this.#structured = true
        return [encodeOptionReply(option, nbd.NBD_REP_ACK)]
      case nbd.NBD_OPT_LIST_META_CONTEXT:
      case nbd.NBD_OPT_SET_META_CONTEXT:
        return this.#answerMetaContext(option, data)
      default: // NBD_OPT_EXTENDED_HEADERS among them: requests here fit 32-bit lengths.
        return [encodeOptionError(option, nbd.NBD_REP_ERR_UNSUP, 'option not supported')]
    }
  }

  #refusePlain(option: number): Buffer {
    if (option === nbd.NBD_OPT_EXPORT_NAME) {
      throw new MaasError('NBD_TLS_REQUIRED', 'the client chose an export without TLS')
    }
    return encodeOptionError(option, nbd.NBD_REP_ERR_TLS_REQD, 'start TLS first')
  }

  #answerStartTls(): Buffer {
    const option = nbd.NBD_OPT_STARTTLS
    if (this.#tls === 'off') {
      return encodeOptionError(option, nbd.NBD_REP_ERR_POLICY, 'TLS is not configured')
    }
    if (this.#secure) {
      return encodeOptionError(option, nbd.NBD_REP_ERR_INVALID, 'TLS is already in use')
    }
    this.#state = 'tls'
    return encodeOptionReply(option, nbd.NBD_REP_ACK)
  }

  #answerList(): Buffer[] {
    const replies: Buffer[] = []
    for (const [name, entry] of this.#exports) {
      const nameBytes = Buffer.from(name)
      const head = Buffer.alloc(4)
      head.writeUInt32BE(nameBytes.length, 0)
      const data = Buffer.concat([head, nameBytes, Buffer.from(entry.description ?? '')])
      replies.push(encodeOptionReply(nbd.NBD_OPT_LIST, nbd.NBD_REP_SERVER, data))
    }
    return [...replies, encodeOptionReply(nbd.NBD_OPT_LIST, nbd.NBD_REP_ACK)]
  }

  /** The old way in: no error can be told, so an unknown name ends the session. */
  #answerExportName(data: Buffer): Buffer[] {
    const name = decodeString(data)
    const entry = name === undefined ? undefined : this.#exports.get(name)
    if (name === undefined || entry === undefined) {
      this.#state = 'closed'
      throw new MaasError('NBD_EXPORT_UNKNOWN', 'the client asked for an unknown export')
    }
    const device = entry.open()
    const bytes = Buffer.alloc(this.#noZeroes ? 10 : 10 + 124)
    bytes.writeBigUInt64BE(BigInt(device.size), 0)
    bytes.writeUInt16BE(transmissionFlags(entry, device, this.#structured), 8)
    this.#enter(name, entry, device)
    return [bytes]
  }

  #answerInfo(option: number, data: Buffer): Buffer[] {
    const query = decodeInfoQuery(data)
    if (query === undefined) {
      return [encodeOptionError(option, nbd.NBD_REP_ERR_INVALID, 'malformed option')]
    }
    const entry = this.#exports.get(query.name)
    if (entry === undefined) {
      return [encodeOptionError(option, nbd.NBD_REP_ERR_UNKNOWN, 'no such export')]
    }
    let device: BlockDevice
    try {
      device = entry.open()
    } catch (error) {
      if (!(error instanceof MaasError)) throw error
      return [encodeOptionError(option, nbd.NBD_REP_ERR_UNKNOWN, error.message)]
    }
    const flags = transmissionFlags(entry, device, this.#structured)
    const replies = [encodeInfoExport(option, device.size, flags)]
    for (const info of new Set(query.infos)) {
      if (info === nbd.NBD_INFO_NAME) replies.push(encodeInfoText(option, info, query.name))
      if (info === nbd.NBD_INFO_DESCRIPTION && entry.description !== undefined) {
        replies.push(encodeInfoText(option, info, entry.description))
      }
      if (info === nbd.NBD_INFO_BLOCK_SIZE) {
        replies.push(encodeInfoBlockSize(option, exportBlockSizes(device)))
      }
    }
    if (option === nbd.NBD_OPT_GO) this.#enter(query.name, entry, device)
    return [...replies, encodeOptionReply(option, nbd.NBD_REP_ACK)]
  }

  #enter(name: string, entry: NbdExport, device: BlockDevice): void {
    this.#state = 'transmission'
    this.#agreement = {
      exportName: entry.name ?? name,
      device,
      structured: this.#structured,
      blockStatus: this.#structured && this.#contextExport === name,
      fastZero: entry.fastZero ?? false,
    }
  }

  #answerMetaContext(option: number, data: Buffer): Buffer[] {
    const set = option === nbd.NBD_OPT_SET_META_CONTEXT
    if (set) this.#contextExport = undefined // Also when the option fails.
    const query = decodeMetaContextQuery(data)
    if (query === undefined || !this.#structured) {
      const message = query === undefined ? 'malformed option' : 'structured replies come first'
      return [encodeOptionError(option, nbd.NBD_REP_ERR_INVALID, message)]
    }
    if (!this.#exports.has(query.name)) {
      return [encodeOptionError(option, nbd.NBD_REP_ERR_UNKNOWN, 'no such export')]
    }
    const ack = encodeOptionReply(option, nbd.NBD_REP_ACK)
    const wanted = set
      ? query.queries.includes(nbd.BASE_ALLOCATION)
      : query.queries.length === 0 ||
        query.queries.some((text) => text === 'base:' || text === nbd.BASE_ALLOCATION)
    if (!wanted) return [ack]
    if (set) this.#contextExport = query.name
    const context = Buffer.concat([Buffer.alloc(4), Buffer.from(nbd.BASE_ALLOCATION)])
    context.writeUInt32BE(set ? BASE_ALLOCATION_ID : 0, 0)
    return [encodeOptionReply(option, nbd.NBD_REP_META_CONTEXT, context), ack]
  }
}

function dataRefused(option: number): Buffer {
  return encodeOptionError(option, nbd.NBD_REP_ERR_INVALID, 'this option takes no data')
}
