import { expect, test } from 'vitest'
import { MemoryDevice } from './memory-device.ts'
import { verifyBlockDevice } from './verify-block-device.ts'

verifyBlockDevice('a device in memory', () => ({ device: new MemoryDevice({ size: 1 << 20 }) }))

verifyBlockDevice('a device in memory of an odd size, kept over a reopening', () => {
  const content = Buffer.alloc(200_001, 9)
  const options = { size: content.length, blockSize: 512, content }
  return {
    device: new MemoryDevice(options),
    content: Buffer.from(content),
    reopen: () => new MemoryDevice(options),
  }
})

verifyBlockDevice(
  'a read-only device in memory',
  () => {
    const content = Buffer.alloc(1 << 16, 3)
    return { device: new MemoryDevice({ size: 1 << 17, readOnly: true, content }), content }
  },
  { readOnly: true },
)

test('tells holes from what was written', () => {
  const device = new MemoryDevice({ size: 10_000, blockSize: 4096 })
  device.write(5000, Buffer.alloc(1, 1))
  expect(device.blockStatus(4000, 6000)).toEqual([
    { offset: 4000, length: 96, hole: true, zero: true },
    { offset: 4096, length: 4096, hole: false, zero: false },
    { offset: 8192, length: 1808, hole: true, zero: true },
  ])
  device.trim(4096, 5904)
  expect(device.blockStatus(0, 10_000)).toHaveLength(1)
})

test('takes a request beyond its end for a bug', () => {
  const device = new MemoryDevice({ size: 4096 })
  expect(() => device.read(4000, Buffer.alloc(97))).toThrow('a request lies inside the device')
})
