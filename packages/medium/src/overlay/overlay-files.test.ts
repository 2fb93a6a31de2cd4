import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { statSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { Worker } from 'node:worker_threads'
import { NodeFs } from '@openmaas/kernel/node-fs'
import { bootId } from '@openmaas/kernel/sysinfo'
import { TiB } from '@openmaas/kernel/units'
import { MemoryDevice } from '@openmaas/testkit/memory-device'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { expect, test } from 'vitest'
import { Overlay } from './overlay.ts'
import { createOverlay, prepareOverlay } from './prepare.ts'
import { punchHole } from './punch-hole.ts'
import type { WriterStart } from './writer-thread.test-support.ts'

const WRITER = new URL('writer-thread.test-support.ts', import.meta.url)
const fs = new NodeFs()

// Goal: no thread undoes what another wrote beside it in the same grain.
test('threads that write into the same grains lose nothing of each other', async () => {
  using directory = new TemporaryDirectory()
  const size = 2 * 1024 * 1024
  createOverlay(fs, directory.path, size)
  const prepared = prepareOverlay({ fs, directory: directory.path, bootId: bootId() })
  const threads = 2 // They spin: more than cores would only wait.
  const pieces = size / 512
  const meeting = new SharedArrayBuffer(4)
  const workers = Array.from({ length: threads }, (_, thread) => {
    const start: WriterStart = { handoff: prepared.handoff, thread, threads, pieces, meeting }
    return new Worker(WRITER, { workerData: start })
  })
  const codes = await Promise.all(workers.map((worker) => once(worker, 'exit')))
  expect(codes).toEqual(workers.map(() => [0]))
  const base = new MemoryDevice({ size, readOnly: true })
  const overlay = new Overlay(prepared.handoff, base, { fs, punchHole })
  const got = Buffer.alloc(size)
  overlay.read(0, got)
  for (let piece = 0; piece < pieces; piece += 1) {
    const expected = Buffer.alloc(512, 1 + (piece % 251))
    const same = expected.compare(got, piece * 512, (piece + 1) * 512) === 0
    expect(same, `piece ${piece}`).toBe(true)
  }
  expect(overlay.writtenBytes).toBe(size)
  overlay.close()
  prepared.close()
})

// Goal: kill -9 loses no write that returned. Method: a process says each write after it is done;
// it is killed after some; what it said must be there.
test('a process that is killed has lost nothing that it had said', async () => {
  using directory = new TemporaryDirectory()
  const size = 1024 * 1024
  createOverlay(fs, directory.path, size)
  const expected = new Map<number, number>()
  for (let round = 1; round <= 5; round += 1) {
    const child = spawn(process.execPath, [WRITER.pathname, directory.path, String(round)])
    let text = ''
    for await (const part of child.stdout) {
      text += String(part)
      if (text.length > 4000 * round) child.kill('SIGKILL')
    }
    const lines = text.slice(0, text.lastIndexOf('\n')).split('\n')
    expect(lines.length).toBeGreaterThan(100)
    // Later rounds count from 1 again: only the order of the lines says which one is newer.
    for (const line of lines) {
      const [piece, count] = line.split(' ').map(Number) as [number, number]
      expected.set(piece, count)
    }
    const prepared = prepareOverlay({ fs, directory: directory.path, bootId: bootId() })
    const base = new MemoryDevice({ size, readOnly: true })
    const overlay = new Overlay(prepared.handoff, base, { fs, punchHole })
    let unsaid = 0
    for (const [piece, count] of expected) {
      const bytes = Buffer.alloc(512)
      overlay.read(piece * 512, bytes)
      if (bytes.readUInt32LE() !== count) unsaid += 1
    }
    // One write may have been done and not said: it replaced one that was.
    expect(unsaid, `round ${round}`).toBeLessThanOrEqual(1)
    for (const [piece] of expected) {
      const bytes = Buffer.alloc(512)
      overlay.read(piece * 512, bytes)
      expected.set(piece, bytes.readUInt32LE())
    }
    overlay.close()
    prepared.close()
  }
})

test('two tebibytes trimmed, written at both ends and recovered cost little memory and disk', () => {
  using directory = new TemporaryDirectory()
  const size = 2 * TiB
  const before = process.memoryUsage().rss
  createOverlay(fs, directory.path, size)
  const base = { size, blockSize: 4096, readOnly: true } as MemoryDevice
  for (let round = 1; round <= 2; round += 1) {
    const prepared = prepareOverlay({ fs, directory: directory.path, bootId: bootId() })
    const overlay = new Overlay(prepared.handoff, base, { fs, punchHole })
    if (round === 1) overlay.trim(0, size)
    overlay.write(0, Buffer.alloc(4096, 1))
    overlay.write(size - 4096, Buffer.alloc(4096, 2))
    overlay.flush()
    if (round === 2) overlay.compact()
    expect(overlay.blockStatus(4096, size - 8192)).toEqual([
      { offset: 4096, length: size - 8192, hole: true, zero: true },
    ])
    overlay.close()
    prepared.close()
  }
  expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024)
  const taken = (name: string): number => statSync(path.join(directory.path, name)).blocks * 512
  expect(taken('data') + taken('journal.a') + taken('journal.b')).toBeLessThan(128 * 1024)
})

test('a trim gives the space back to the file system', () => {
  using directory = new TemporaryDirectory()
  const size = 8 * 1024 * 1024
  createOverlay(fs, directory.path, size)
  const prepared = prepareOverlay({ fs, directory: directory.path, bootId: bootId() })
  const base = new MemoryDevice({ size, readOnly: true })
  const overlay = new Overlay(prepared.handoff, base, { fs, punchHole })
  overlay.write(0, Buffer.alloc(size, 7))
  overlay.flush()
  overlay.trim(0, size)
  overlay.flush()
  expect(statSync(path.join(directory.path, 'data')).blocks * 512).toBeLessThan(64 * 1024)
  overlay.close()
  prepared.close()
})
