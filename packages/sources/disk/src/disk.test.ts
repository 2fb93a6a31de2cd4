import fs from 'node:fs'
import path from 'node:path'
import { SeededRandom } from '@openmaas/kernel/random'
import { MemoryChunks } from '@openmaas/pool/tree/memory-chunks.test-support'
import { VolumeView } from '@openmaas/pool/volume/view'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { expect, test } from 'vitest'
import { DiskImage } from './image.ts'
import { assembleVolume, captureSegment, planSegments, SEGMENT_SIZE } from './segment.ts'

function makeImage(directory: string, size: number, data: readonly [number, Buffer][]): string {
  const name = path.join(directory, 'disk.img')
  const fd = fs.openSync(name, 'w')
  fs.ftruncateSync(fd, size)
  for (const [offset, bytes] of data) fs.writeSync(fd, bytes, 0, bytes.length, offset)
  fs.closeSync(fd)
  return name
}

function capture(chunks: MemoryChunks, name: string) {
  using image = new DiskImage(name)
  const results = [...planSegments(image)].map((i) => captureSegment(image, i, { sink: chunks }))
  return { ...assembleVolume(chunks, image.size, results.toReversed()), results }
}

test('an image is captured with its holes, and reads back as it was', () => {
  using directory = new TemporaryDirectory()
  const random = new SeededRandom(3)
  const size = 3 * SEGMENT_SIZE + 65536 * 2 + 1000 // No whole number of sectors.
  const data: [number, Buffer][] = [
    [0, random.bytes(5000)],
    [65536 * 7 - 100, random.bytes(70_000)],
    [2 * SEGMENT_SIZE - 10, random.bytes(20)],
    [size - 300, random.bytes(300)],
  ]
  const name = makeImage(directory.path, size, data)
  const chunks = new MemoryChunks()
  const { id, results } = capture(chunks, name)
  const view = new VolumeView(chunks, id)
  expect(view.size).toBe(Math.ceil(size / 512) * 512)
  const expected = Buffer.alloc(view.size)
  for (const [offset, bytes] of data) bytes.copy(expected, offset)
  const got = Buffer.alloc(view.size)
  view.read(0, got)
  expect(got.equals(expected)).toBe(true)
  const read = results.reduce((sum, result) => sum + result.readBytes, 0)
  expect(read, 'bytes read of a sparse image').toBeLessThan(2 * 1024 * 1024)
  // Unchanged, it is the same snapshot; changed in one grain, it adds two nodes, root and grain.
  expect(capture(chunks, name).id.equals(id)).toBe(true)
  const before = chunks.chunks.size
  const fd = fs.openSync(name, 'r+')
  fs.writeSync(fd, Buffer.from('changed'), 0, 7, 1000)
  fs.closeSync(fd)
  expect(capture(chunks, name).id.equals(id)).toBe(false)
  expect(chunks.chunks.size - before).toBe(4)
})

test('two tebibytes of hole are captured without reading them', () => {
  using directory = new TemporaryDirectory()
  const size = 2 * 1024 ** 4
  const name = makeImage(directory.path, size, [[size - 4096, Buffer.alloc(4096, 1)]])
  const chunks = new MemoryChunks()
  const { id, results } = capture(chunks, name)
  expect(results.length).toBe(1)
  const last = Buffer.alloc(4096)
  new VolumeView(chunks, id).read(size - 4096, last)
  expect(last.equals(Buffer.alloc(4096, 1))).toBe(true)
})

test('what is no image is refused by name', () => {
  using directory = new TemporaryDirectory()
  const code = (text: string) => expect.objectContaining({ code: text })
  expect(() => new DiskImage('/nonexistent/disk')).toThrowError(code('PATH_NOT_FOUND'))
  expect(() => new DiskImage(directory.path)).toThrowError(code('SOURCE_UNSUPPORTED'))
  const empty = makeImage(directory.path, 0, [])
  expect(() => new DiskImage(empty)).toThrowError(code('SOURCE_UNSUPPORTED'))
})

test('an image that becomes shorter while it is read fails the capture', () => {
  using directory = new TemporaryDirectory()
  const name = makeImage(directory.path, 200_000, [[0, Buffer.alloc(200_000, 1)]])
  using image = new DiskImage(name)
  expect(image.hasChanged()).toBe(false)
  fs.truncateSync(name, 1000)
  expect(image.hasChanged()).toBe(true)
  const deps = { sink: new MemoryChunks() }
  const shorter = expect.objectContaining({ code: 'SOURCE_UNREADABLE' })
  expect(() => captureSegment(image, 0, deps)).toThrowError(shorter)
  expect(() => image.read(0, Buffer.alloc(65536))).toThrowError(shorter)
})
