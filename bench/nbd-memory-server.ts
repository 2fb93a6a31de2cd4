/** Serves memory as NBD on the unix socket named by the first argument, for bench/nbd-memory.ts. */
import type { SyncBlockDevice } from '@openmaas/kernel/block-device'
import { NbdServer } from '@openmaas/protocols/nbd/server'

/** The plainest device there is, so that only the protocol is measured. */
function makeDevice(size: number): SyncBlockDevice {
  const store = Buffer.alloc(size, 0x61)
  return {
    size,
    blockSize: 4096,
    readOnly: false,
    read: (offset, target) => void store.copy(target, 0, offset, offset + target.length),
    write: (offset, source) => void source.copy(store, offset),
    trim: () => undefined,
    writeZeroes: (offset, length) => void store.fill(0, offset, offset + length),
    flush: () => undefined,
    blockStatus: (offset, length) => [{ offset, length, hole: false, zero: false }],
    close: () => undefined,
  }
}

const [socketPath, sizeBytes] = process.argv.slice(2)
const device = makeDevice(Number(sizeBytes))
const server = new NbdServer({ exports: new Map([['', { open: () => device }]]) })
await server.listen({ socketPath: socketPath ?? '' })
process.on('SIGTERM', () => void server.close())
