/**
 * What every BlockDevice promises (kernel/block-device.ts), as tests. Each implementation calls
 * `verifyBlockDevice` once per way it can be made.
 */
import type { BlockDevice, BlockExtent, Completion } from '@openmaas/kernel/block-device'
import { SeededRandom } from '@openmaas/kernel/random'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

export interface MadeDevice {
  /** Between 64 KiB and 64 MiB, since a model keeps every byte of it. */
  readonly device: BlockDevice
  /** What it holds at first; zeros where this is absent or ends. */
  readonly content?: Buffer
  /**
   * Ends the device without closing it, as a crash does, and opens what was made durable. Then
   * the suite checks that a flush keeps its promise.
   */
  reopen?(): BlockDevice | Promise<BlockDevice>
  /** Called after the test, when the device is closed. */
  dispose?(): Completion
}

export interface VerifyOptions {
  /** The devices made refuse every change. */
  readonly readOnly?: boolean
  /** Random histories to try, each of 200 operations. */
  readonly seeds?: number
}

const SEEDS = 20
const OPERATIONS = 200
const SIZE_MIN = 64 * 1024
const SIZE_MAX = 64 * 1024 * 1024
/** Longest random request: crosses several blocks of any implementation. */
const REQUEST_MAX = 48 * 1024

/** Every byte, and whether it was trimmed since (then it reads as itself or as zero). */
class Model {
  readonly bytes: Buffer
  readonly #trimmed: Uint8Array

  constructor(size: number, content: Buffer | undefined) {
    this.bytes = Buffer.alloc(size)
    content?.copy(this.bytes)
    this.#trimmed = new Uint8Array(size)
  }

  write(offset: number, source: Buffer): void {
    source.copy(this.bytes, offset)
    this.#trimmed.fill(0, offset, offset + source.length)
  }

  trim(offset: number, length: number): void {
    this.#trimmed.fill(1, offset, offset + length)
  }

  /** @returns the offset of the first byte that may not read so, or -1 */
  firstWrong(offset: number, got: Buffer): number {
    const end = offset + got.length
    if (this.bytes.compare(got, 0, got.length, offset, end) === 0) return -1
    for (let i = 0; i < got.length; i += 1) {
      const allowed =
        got[i] === this.bytes[offset + i] || (this.#trimmed[offset + i] && got[i] === 0)
      if (!allowed) return offset + i
    }
    return -1
  }
}

/** Declares the conformance tests of one kind of device. */
export function verifyBlockDevice(
  name: string,
  make: () => MadeDevice | Promise<MadeDevice>,
  options: VerifyOptions = {},
): void {
  describe(`${name} is a block device`, () => {
    let made: MadeDevice
    let device: BlockDevice
    let model: Model

    beforeEach(async () => {
      made = await make()
      device = made.device
      model = new Model(device.size, made.content)
    })
    afterEach(async () => {
      await device.close()
      await made.dispose?.()
    })

    const use = (): Site => ({ made, device, model })
    test('says a size and a block size that are sane', () => {
      expect(device.size).toBeGreaterThanOrEqual(SIZE_MIN)
      expect(device.size).toBeLessThanOrEqual(SIZE_MAX)
      expect(device.blockSize).toBeGreaterThanOrEqual(512)
      expect(device.blockSize & (device.blockSize - 1)).toBe(0)
      expect(device.readOnly).toBe(options.readOnly ?? false)
    })
    test('reads what it holds, at its very end too', async () => {
      await expectContent(use())
      await expectRead(use(), device.size - 1, 1)
      await expectRead(use(), device.size - 5000, 5000)
    })
    test('reports the status of any range exactly once, in order', async () => {
      for (const [offset, length] of awkwardRanges(device))
        await expectStatus(use(), offset, length)
    })
    if (options.readOnly === true) verifyRefusals(use)
    else verifyChanges(use, options)
  })
}

interface Site {
  readonly made: MadeDevice
  readonly device: BlockDevice
  readonly model: Model
}

function verifyRefusals(use: () => Site): void {
  test('refuses every change and stays as it is', async () => {
    const { device } = use()
    const refused = { code: 'DEVICE_READ_ONLY' }
    await expect((async () => device.write(0, Buffer.alloc(512)))()).rejects.toMatchObject(refused)
    await expect((async () => device.trim(0, 4096))()).rejects.toMatchObject(refused)
    await expect((async () => device.writeZeroes(0, 4096))()).rejects.toMatchObject(refused)
    await device.flush()
    await expectContent(use())
  })
}

function verifyChanges(use: () => Site, options: VerifyOptions): void {
  test('reads back unaligned writes, and nothing around them changes', async () => {
    const { device, model } = use()
    let value = 1
    for (const [offset, length] of awkwardRanges(device)) {
      const bytes = Buffer.alloc(length, (value += 1))
      await device.write(offset, bytes)
      model.write(offset, bytes)
    }
    await expectContent(use())
  })

  test('does not keep or change the buffers it is given', async () => {
    const { device } = use()
    const bytes = Buffer.alloc(8192, 0xaa)
    await device.write(100, bytes)
    expect(bytes.equals(Buffer.alloc(8192, 0xaa))).toBe(true)
    bytes.fill(0xbb)
    const target = Buffer.alloc(8192 + 2, 0xcc)
    await device.read(100, target.subarray(1, -1))
    expect(target.equals(Buffer.from([0xcc, ...Buffer.alloc(8192, 0xaa), 0xcc]))).toBe(true)
  })

  test('reads zeros where zeroes were written', async () => {
    const { device, model } = use()
    const bytes = Buffer.alloc(SIZE_MIN, 0x5a)
    await device.write(0, bytes)
    model.write(0, bytes)
    for (const [offset, length] of awkwardRanges(device)) {
      await device.writeZeroes(offset, length)
      model.write(offset, Buffer.alloc(length))
    }
    await expectContent(use())
  })

  test('reads old bytes or zeros where it was trimmed, and new ones once written', async () => {
    const { device, model } = use()
    const bytes = Buffer.alloc(SIZE_MIN, 0x77)
    await device.write(0, bytes)
    model.write(0, bytes)
    await device.trim(1, SIZE_MIN - 2)
    model.trim(1, SIZE_MIN - 2)
    await expectContent(use())
    await device.write(5000, bytes.subarray(0, 9000))
    model.write(5000, bytes.subarray(0, 9000))
    await expectContent(use())
  })

  test('serves 32 requests at once', async () => {
    const { device, model } = use()
    const piece = Math.floor(Math.min(device.size, SIZE_MIN * 8) / 32)
    const writes = Array.from({ length: 32 }, async (_, i) => {
      const bytes = Buffer.alloc(piece, i + 1)
      model.write(i * piece, bytes)
      await device.write(i * piece, bytes)
    })
    await Promise.all(writes)
    await Promise.all(writes.map((_, i) => expectRead(use(), i * piece, piece)))
  })

  test('agrees with a model in random histories', async () => {
    const { device, model } = use()
    for (let seed = 1; seed <= (options.seeds ?? SEEDS); seed += 1) {
      const random = new SeededRandom(seed)
      for (let step = 0; step < OPERATIONS; step += 1) {
        await randomOperation({ device, model, random, label: `seed ${seed} step ${step}` })
      }
      await expectContent(use(), `seed ${seed}`)
    }
  })

  test('keeps what was flushed, when it is opened again', async () => {
    const { made, device, model } = use()
    if (made.reopen === undefined) return // It promises nothing beyond its own life.
    for (let round = 1; round <= 3; round += 1) {
      for (const [offset, length] of awkwardRanges(device)) {
        const bytes = Buffer.alloc(length, round * 16 + (offset % 7))
        await device.write(offset, bytes)
        model.write(offset, bytes)
      }
      await device.writeZeroes(3, 5000)
      model.write(3, Buffer.alloc(5000))
      await device.flush()
    }
    const again = await made.reopen()
    await expectContent({ device: again, model })
    await again.close()
  })
}

/** Pairs of offset and length: within, across and exactly on blocks, at both ends. */
function awkwardRanges({ size, blockSize }: BlockDevice): [number, number][] {
  const block = Math.min(blockSize, 16 * 1024)
  const ranges: [number, number][] = [
    [0, 1],
    [1, 1],
    [block - 1, 2],
    [block, block],
    [block + 512, 512],
    [2 * block - 3, block + 6],
    [511, 3 * block],
    [0, 3 * block],
    [size - 1, 1],
    [size - block - 1, block],
    [size - block - 7, block + 7],
  ]
  return ranges
}

interface Step {
  readonly device: BlockDevice
  readonly model: Model
  readonly random: SeededRandom
  readonly label: string
}

async function randomOperation({ device, model, random, label }: Step): Promise<void> {
  // Half of all requests stay near each other, so that they overlap.
  const reach = random.below(2) === 0 ? Math.min(device.size, SIZE_MIN) : device.size
  const offset = random.below(reach)
  let length = 1 + random.below(Math.min(REQUEST_MAX, device.size - offset))
  const aligned = random.below(3) === 0
  const start = aligned ? offset - (offset % 4096) : offset
  if (aligned) length = Math.min(device.size - start, Math.ceil(length / 4096) * 4096)
  const choice = random.below(10)
  if (choice < 4) {
    const bytes = Buffer.alloc(length, 1 + random.below(255))
    model.write(start, bytes)
    await device.write(start, bytes)
  } else if (choice < 7) {
    await expectRead({ device, model }, start, length, label)
  } else if (choice < 8) {
    model.trim(start, length)
    await device.trim(start, length)
  } else if (choice < 9) {
    model.write(start, Buffer.alloc(length))
    await device.writeZeroes(start, length)
  } else {
    await expectStatus({ device, model }, start, length, label)
    await device.flush()
  }
}

type Pair = Pick<Site, 'device' | 'model'>

async function expectRead(pair: Pair, offset: number, length: number, label = ''): Promise<void> {
  const target = Buffer.alloc(length, 0xee)
  await pair.device.read(offset, target)
  const wrong = pair.model.firstWrong(offset, target)
  expect(wrong, `${label} read ${offset}+${length}: first wrong byte`).toBe(-1)
}

async function expectContent(pair: Pair, label = 'content'): Promise<void> {
  const step = 1024 * 1024 + 512
  for (let offset = 0; offset < pair.device.size; offset += step) {
    await expectRead(pair, offset, Math.min(step, pair.device.size - offset), label)
  }
}

/** The extents cover the range in order, and what is called zero reads as zero. */
async function expectStatus(pair: Pair, offset: number, length: number, label = ''): Promise<void> {
  const extents: BlockExtent[] = await pair.device.blockStatus(offset, length)
  const message = `${label} status ${offset}+${length}`
  let next = offset
  for (const extent of extents) {
    expect(extent.offset, message).toBe(next)
    expect(extent.length, message).toBeGreaterThan(0)
    next += extent.length
    if (!extent.zero) continue
    const target = Buffer.alloc(extent.length, 0xee)
    await pair.device.read(extent.offset, target)
    expect(target.equals(Buffer.alloc(extent.length)), `${message} zero`).toBe(true)
  }
  expect(next, message).toBe(offset + length)
}
