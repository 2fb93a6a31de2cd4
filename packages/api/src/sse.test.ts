import { describe, expect, test } from 'vitest'
import { SSE_MESSAGE_LENGTH_MAX, SseReader } from './sse.ts'

const stream =
  ': hello\n\nid: 7\nevent: job.ended\ndata: {"a":1}\n\ndata: one\r\ndata: two\r\n\r\nid: 8\n\nretry: 3\n\n'

describe('SseReader', () => {
  test('reads messages, keeps the id, ignores comments and messages without data', () => {
    expect(new SseReader().receive(stream)).toEqual([
      { id: '7', event: 'job.ended', data: '{"a":1}' },
      { id: '7', event: 'message', data: 'one\ntwo' },
    ])
  })

  test('reads the same whatever the fragmentation', () => {
    const whole = new SseReader().receive(stream)
    const reader = new SseReader()
    expect(stream.split('').flatMap((character) => reader.receive(character))).toEqual(whole)
  })

  test('refuses a message without an end', () => {
    const reader = new SseReader()
    expect(() => {
      for (let i = 0; i < 10; i += 1) reader.receive('x'.repeat(SSE_MESSAGE_LENGTH_MAX / 4))
    }).toThrow(RangeError)
  })
})
