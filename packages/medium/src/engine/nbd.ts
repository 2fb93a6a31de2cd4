/**
 * The engine's NBD export of its medium: on a unix socket in the runtime directory, or on a
 * loopback port. Served by the engine's main thread, which has nothing else to do.
 */
import type { BlockDevice, BlockExtent, SyncBlockDevice } from '@openmaas/kernel/block-device'
import { parseNbdAddress } from '@openmaas/protocols/nbd/listen-address'
import { NbdServer } from '@openmaas/protocols/nbd/server'
import type { NbdServerEvent } from '@openmaas/protocols/nbd/server'

export interface MediumExport {
  close(): Promise<void>
}

/**
 * @param address socket path or `host:port`
 * @param exportName clients may ask for it by name, or for the default export
 * @throws MaasError NBD_LISTEN_REFUSED beyond loopback, FS_*
 */
export async function exportMedium(
  address: string,
  exportName: string,
  device: BlockDevice,
  onEvent: (event: NbdServerEvent) => void,
): Promise<MediumExport> {
  const entry = { open: () => device, description: `OpenMaaS medium ${exportName}` }
  const exports = new Map([
    ['', entry],
    [exportName, entry],
  ])
  const server = new NbdServer({ exports, onEvent })
  await server.listen(parseNbdAddress(address))
  return { close: () => server.close() }
}

/** One device to the clients, whichever stack stands behind it at the moment. */
export class ExchangeableDevice implements BlockDevice {
  readonly blockSize: number
  readonly readOnly: boolean
  #device: SyncBlockDevice

  constructor(device: SyncBlockDevice) {
    this.#device = device
    this.blockSize = device.blockSize
    this.readOnly = device.readOnly
  }

  /** Larger when the medium has grown: clients that connect from then on learn it. */
  get size(): number {
    return this.#device.size
  }

  /** From now on requests go to this device; the old one is closed by its owner. */
  exchange(device: SyncBlockDevice): void {
    this.#device = device
  }

  read(offset: number, target: Buffer): void {
    this.#device.read(offset, target)
  }

  write(offset: number, source: Buffer): void {
    this.#device.write(offset, source)
  }

  trim(offset: number, length: number): void {
    this.#device.trim(offset, length)
  }

  writeZeroes(offset: number, length: number): void {
    this.#device.writeZeroes(offset, length)
  }

  flush(): void {
    this.#device.flush()
  }

  blockStatus(offset: number, length: number): BlockExtent[] {
    return this.#device.blockStatus(offset, length)
  }

  /** Belongs to the engine. */
  close(): void {}
}
