import { expect, test } from 'vitest'
import { SeededRandom } from '@openmaas/kernel/random'
import {
  encodeFrame,
  encodeJson,
  type Frame,
  FRAME_PAYLOAD_MAX,
  FrameDecoder,
  FrameType,
} from './frames.ts'
import { decodeMessage, hello } from './messages.ts'

const receive = (pieces: readonly Buffer[], payloadMax?: number): Frame[] => {
  const decoder = new FrameDecoder(payloadMax)
  return pieces.flatMap((piece) => [...decoder.receive(piece)])
}
const violation = expect.objectContaining({ code: 'DATA_PROTOCOL_VIOLATION' }) as Error

test('a frame is these bytes', () => {
  const frame = encodeFrame(FrameType.chunk, Buffer.from('abc'), 2)
  expect(frame.toString('hex')).toBe('0300000003020000616263')
  expect(receive([frame])).toEqual([{ type: 3, chunkType: 2, payload: Buffer.from('abc') }])
  expect(encodeFrame(FrameType.flush, Buffer.alloc(0)).toString('hex')).toBe('0000000006000000')
})

// Goal: TCP may cut anywhere. Method: random pieces, compared with one piece.
test('frames come out the same whatever the fragmentation', () => {
  const frames = [
    encodeFrame(FrameType.chunk, Buffer.alloc(1 << 20, 'x'), 1),
    encodeFrame(FrameType.flush, Buffer.alloc(0)),
    encodeJson(FrameType.hello, { a: 'b' }),
    encodeFrame(FrameType.read, Buffer.alloc(64, 7)),
  ]
  const stream = Buffer.concat(frames)
  const whole = receive([stream]).map(({ type, payload }) => [type, payload.toString('latin1')])
  expect(whole.map(([type]) => type)).toEqual([3, 6, 1, 4])
  for (let seed = 1; seed <= 20; seed += 1) {
    const random = new SeededRandom(seed)
    const pieces: Buffer[] = []
    for (let at = 0; at < stream.length;) {
      const size = 1 + random.below(seed % 2 === 0 ? 200_000 : 17)
      pieces.push(stream.subarray(at, at + size))
      at += size
      if (pieces.length > 2000) {
        pieces.push(stream.subarray(at))
        break
      }
    }
    const cut = receive(pieces).map(({ type, payload }) => [type, payload.toString('latin1')])
    expect(cut, `seed ${seed}`).toEqual(whole)
  }
})

test.each([
  ['an unknown type', '000000000b000000'],
  ['type zero', '0000000000000000'],
  ['a reserved byte', '0000000006000100'],
  ['a chunk type on a frame that has none', '0000000006010000'],
  ['a length beyond the limit', '01001100030100000'.slice(0, 16)],
])('refuses %s', (_what, hex) => {
  expect(() => receive([Buffer.from(hex, 'hex')])).toThrowError(violation)
})

test('a length is refused before anything is held for it', () => {
  const header = Buffer.alloc(8)
  header.writeUInt32LE(FRAME_PAYLOAD_MAX + 1, 0)
  header[4] = FrameType.chunk
  expect(() => receive([header])).toThrowError(violation)
  header.writeUInt32LE(1000, 0)
  expect(() => receive([header], 999)).toThrowError(violation)
})

// Goal: no damaged hello is believed or crashes anything. 200 bytes are few enough to try each.
test('every flipped bit of a hello is refused or leaves its form intact', () => {
  const open = { do: 'join', session: 'ses_1' }
  const frame = encodeJson(FrameType.hello, { version: 1, ticket: 'x.y', open })
  for (let bit = 0; bit < frame.length * 8; bit += 1) {
    const damaged = Buffer.from(frame)
    damaged[bit >> 3]! ^= 1 << (bit & 7)
    try {
      for (const { payload } of receive([damaged])) decodeMessage(hello, payload)
    } catch (error) {
      expect(error, `bit ${bit}`).toMatchObject({ code: 'DATA_PROTOCOL_VIOLATION' })
    }
  }
})
