/**
 * A server process for the interop tests: one file as the default export. What it has written
 * survives a kill of the process, so clients may be held to what was acknowledged.
 *
 *   node serve-file.ts '{"file": "...", "address": {...}, "tls": {...}}'
 *
 * Prints the address as one line of JSON when it listens. SIGTERM closes it in order.
 */
import { closeSync, fdatasyncSync, fstatSync, openSync } from 'node:fs'
import { readFileSync, readSync, writeSync } from 'node:fs'
import type { BlockExtent, SyncBlockDevice } from '@openmaas/kernel/block-device'
import type { NbdAddress } from '@openmaas/protocols/nbd/listen-address'
import { NbdServer } from '@openmaas/protocols/nbd/server'

export interface ServeOptions {
  readonly file: string
  readonly address: NbdAddress
  readonly readOnly?: boolean
  /** Paths of PEM files. */
  readonly tls?: { readonly key: string; readonly certificate: string; readonly authority?: string }
}

const BLOCK_SIZE = 4096

/** A file; blocks of zeros are told as holes, so that clients see both kinds. */
class FileDevice implements SyncBlockDevice {
  readonly size: number
  readonly blockSize = BLOCK_SIZE
  readonly readOnly: boolean
  readonly #file: number

  constructor(path: string, readOnly: boolean) {
    this.#file = openSync(path, readOnly ? 'r' : 'r+')
    this.size = fstatSync(this.#file).size
    this.readOnly = readOnly
  }

  read(offset: number, target: Buffer): void {
    for (let at = 0; at < target.length;) {
      at += readSync(this.#file, target, at, target.length - at, offset + at)
    }
  }

  write(offset: number, source: Buffer): void {
    for (let at = 0; at < source.length;) {
      at += writeSync(this.#file, source, at, source.length - at, offset + at)
    }
  }

  trim(): void {}

  writeZeroes(offset: number, length: number): void {
    for (let at = 0; at < length; at += 1 << 20) {
      this.write(offset + at, Buffer.alloc(Math.min(1 << 20, length - at)))
    }
  }

  flush(): void {
    fdatasyncSync(this.#file)
  }

  blockStatus(offset: number, length: number): BlockExtent[] {
    const extents: BlockExtent[] = []
    const bytes = Buffer.alloc(Math.min(length, 1 << 20))
    for (let at = offset; at < offset + length; at += bytes.length) {
      const piece = bytes.subarray(0, Math.min(bytes.length, offset + length - at))
      this.read(at, piece)
      for (let within = 0; within < piece.length; within += BLOCK_SIZE) {
        const block = piece.subarray(within, within + BLOCK_SIZE)
        const zero = block.equals(ZEROS.subarray(0, block.length))
        extents.push({ offset: at + within, length: block.length, hole: zero, zero })
      }
    }
    return extents
  }

  close(): void {
    closeSync(this.#file)
  }
}

const ZEROS = Buffer.alloc(BLOCK_SIZE)

const options = JSON.parse(process.argv[2]!) as ServeOptions
const device = new FileDevice(options.file, options.readOnly ?? false)
const { tls } = options
const server = new NbdServer({
  exports: new Map([['', { open: () => device, description: 'a file' }]]),
  onEvent: (event) => {
    if (event.type === 'failed') process.stderr.write(`${String(event.error)}\n`)
  },
  ...(tls === undefined
    ? {}
    : {
        tls: {
          mode: 'require',
          key: readFileSync(tls.key),
          certificate: readFileSync(tls.certificate),
          ...(tls.authority === undefined
            ? {}
            : { clientAuthorities: readFileSync(tls.authority) }),
        },
      }),
})
const address = await server.listen(options.address)
process.on('SIGTERM', () => void server.close().then(() => device.close()))
process.stdout.write(`${JSON.stringify(address)}\n`)
