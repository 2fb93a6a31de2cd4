import { expect, test } from 'vitest'
import type { BlockDevice } from '@openmaas/kernel/block-device'
import { MaasError } from '@openmaas/kernel/errors'
import { FuseDiskServer, resendRequest } from './disk-server.ts'

const SIZE = 8192

function makeDevice(readOnly = false) {
  const bytes = Buffer.alloc(SIZE, 0x61)
  const calls: string[] = []
  const device: BlockDevice = {
    size: SIZE,
    blockSize: 4096,
    readOnly,
    read: (offset, target) => void bytes.copy(target, 0, offset, offset + target.length),
    write: (offset, source) => void source.copy(bytes, offset),
    trim: () => undefined,
    writeZeroes: (offset, length) => void bytes.fill(0, offset, offset + length),
    flush: () => void calls.push('flush'),
    blockStatus: (offset, length) => [{ offset, length, hole: false, zero: false }],
    close: () => undefined,
  }
  return { device, bytes, calls }
}

function makeRequest(opcode: number, node: number, body: Buffer): Buffer {
  const header = Buffer.alloc(40)
  header.writeUInt32LE(40 + body.length, 0)
  header.writeUInt32LE(opcode, 4)
  header.write('0807060504030281', 8, 'hex') // unique, with bit 63 set: a request sent again
  header.writeUInt32LE(node, 16)
  return Buffer.concat([header, body])
}

function transferBody(offset: number, size: number, data = Buffer.alloc(0)): Buffer {
  const body = Buffer.alloc(40)
  body.writeBigUInt64LE(BigInt(offset), 8)
  body.writeUInt32LE(size, 16)
  return Buffer.concat([body, data])
}

const failures: unknown[] = []
const options = { onFailure: (error: unknown) => void failures.push(error) }
const answerOf = (server: FuseDiskServer, request: Buffer): Buffer =>
  Buffer.from(server.answer(request) as Buffer)

test('INIT negotiates one-MiB transfers and asks for requests to be resendable', () => {
  const body = Buffer.alloc(64)
  body.writeUInt32LE(7, 0)
  body.writeUInt32LE(45, 4)
  body.writeUInt32LE(0xffff_ffff, 12)
  const reply = answerOf(new FuseDiskServer(makeDevice().device, options), makeRequest(26, 0, body))
  expect(reply.toString('hex')).toBe(
    '50000000' +
      '00000000' +
      '0807060504030281' + // length 80, no error, unique as it came
      '07000000' +
      '28000000' +
      '00000200' +
      '21804440' +
      '4000' +
      '3000' +
      '00001000' +
      '01000000' +
      '0001' +
      '0000' +
      '80000000' +
      '00'.repeat(28),
  )
})

test('reads return the bytes of the device, short at its end', () => {
  const { device, bytes } = makeDevice()
  bytes.write('hello', 4096)
  const server = new FuseDiskServer(device, options)
  const middle = answerOf(server, makeRequest(15, 2, transferBody(4096, 5)))
  expect(middle.toString('latin1', 16)).toBe('hello')
  expect(middle.readUInt32LE(0)).toBe(21)
  const end = answerOf(server, makeRequest(15, 2, transferBody(SIZE - 2, 100)))
  expect(end.length).toBe(18)
  const beyond = answerOf(server, makeRequest(15, 2, transferBody(SIZE + 4096, 100)))
  expect(beyond.length).toBe(16)
})

test('a write is answered with its size, and FSYNC only after the flush of the device', () => {
  const { device, bytes, calls } = makeDevice()
  const server = new FuseDiskServer(device, options)
  const reply = answerOf(server, makeRequest(16, 2, transferBody(100, 3, Buffer.from('abc'))))
  expect(reply.readUInt32LE(16)).toBe(3)
  expect(bytes.toString('latin1', 99, 104)).toBe('aabca')
  expect(answerOf(server, makeRequest(20, 2, Buffer.alloc(16))).readInt32LE(4)).toBe(0)
  expect(calls).toEqual(['flush'])
})

test('a discard from the loop device reads back as zeros', () => {
  const { device, bytes } = makeDevice()
  const body = Buffer.alloc(32)
  body.writeBigUInt64LE(4096n, 8)
  body.writeBigUInt64LE(999_999n, 16) // beyond the end: clipped
  body.writeUInt32LE(3, 24) // PUNCH_HOLE | KEEP_SIZE
  const reply = answerOf(new FuseDiskServer(device, options), makeRequest(43, 2, body))
  expect(reply.readInt32LE(4)).toBe(0)
  expect(bytes.subarray(4096).every((byte) => byte === 0)).toBe(true)
  expect(bytes[4095]).toBe(0x61)
})

test.each([
  ['a write beyond the end', makeRequest(16, 2, transferBody(SIZE, 1, Buffer.from('x'))), -22],
  ['a write longer than its message', makeRequest(16, 2, transferBody(0, 9)), -22],
  ['a read of the directory', makeRequest(15, 1, transferBody(0, 1)), -22],
  ['an unknown name', makeRequest(1, 1, Buffer.from('other\0')), -2],
  ['an unknown operation', makeRequest(4711, 1, Buffer.alloc(0)), -38],
])('refuses %s', (_title, request, errno) => {
  const reply = answerOf(new FuseDiskServer(makeDevice().device, options), request)
  expect(reply.readInt32LE(4)).toBe(errno)
})

test('a read-only device refuses to be opened for writing and to be written', () => {
  const server = new FuseDiskServer(makeDevice(true).device, options)
  const open = Buffer.alloc(8)
  open.writeUInt32LE(2, 0) // O_RDWR
  expect(answerOf(server, makeRequest(14, 2, open)).readInt32LE(4)).toBe(-1)
  const write = makeRequest(16, 2, transferBody(0, 1, Buffer.from('x')))
  expect(answerOf(server, write).readInt32LE(4)).toBe(-1)
})

test('a device error becomes the errno of its category and is reported', () => {
  const { device } = makeDevice()
  device.write = () => {
    throw new MaasError('FS_NO_SPACE', 'no space for the overlay')
  }
  failures.length = 0
  const server = new FuseDiskServer(device, options)
  const reply = answerOf(server, makeRequest(16, 2, transferBody(0, 1, Buffer.from('x'))))
  expect(reply.readInt32LE(4)).toBe(-28)
  expect(failures).toHaveLength(1)
})

test('a device that waits is answered when it is ready, each in a buffer of its own', async () => {
  const { device, bytes } = makeDevice()
  bytes.write('first', 0)
  bytes.write('other', 4096)
  const direct = device.read
  device.read = async (offset, target) => {
    await new Promise((resolve) => setImmediate(resolve))
    await direct(offset, target)
  }
  const server = new FuseDiskServer(device, { ...options, waits: true })
  const replies = await Promise.all([
    server.answer(makeRequest(15, 2, transferBody(0, 5))),
    server.answer(makeRequest(15, 2, transferBody(4096, 5))),
  ])
  expect(replies.map((reply) => reply?.toString('latin1', 16))).toEqual(['first', 'other'])
})

test('a message whose length lies is refused before anything is read from it', () => {
  const request = makeRequest(15, 2, transferBody(0, 1))
  const server = new FuseDiskServer(makeDevice().device, options)
  expect(() => server.answer(request.subarray(0, 50))).toThrowError(
    expect.objectContaining({ code: 'FUSE_PROTOCOL_VIOLATION' }),
  )
})

test('messages without a reply get none', () => {
  const server = new FuseDiskServer(makeDevice().device, options)
  expect(server.answer(makeRequest(2, 2, Buffer.alloc(8)))).toBeUndefined()
})

test('the resend notification is the literal message of the kernel header', () => {
  expect(resendRequest().toString('hex')).toBe('10000000' + '07000000' + '0000000000000000')
})
