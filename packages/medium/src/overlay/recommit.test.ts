import type { SyncBlockDevice } from '@openmaas/kernel/block-device'
import { MaasError } from '@openmaas/kernel/errors'
import { MemoryFs } from '@openmaas/testkit/memory-fs'
import { expect, test } from 'vitest'
import { DirtyLog } from './dirty-log.ts'
import { openOverlayFiles } from './files.ts'
import { BATCH_RUNS_MAX, GRAIN_SIZE, GrainState } from './format.ts'
import { Overlay } from './overlay.ts'
import { createOverlay, prepareOverlay } from './prepare.ts'

const refuse = (): never => expect.fail('the base is never written')
const bootId = (digit: string) => `${digit.repeat(8)}-0000-4000-8000-000000000000`

// Goal: what a flush made durable is never taken back by committing its history once more. Method:
// a killed engine leaves a dirty file longer than a batch, all of it committed; the next engine's
// first flush ends after one batch, and the power goes.
test('history that is committed again takes back nothing that was flushed', () => {
  const fs = new MemoryFs()
  const grains = 2 * BATCH_RUNS_MAX
  const size = grains * GRAIN_SIZE
  fs.makeDirectory('/o')
  createOverlay(fs, '/o', size)
  const device: SyncBlockDevice = {
    size,
    blockSize: GRAIN_SIZE,
    readOnly: true,
    read: (_offset, target) => void target.fill(7),
    write: refuse,
    trim: refuse,
    writeZeroes: refuse,
    flush: () => undefined,
    blockStatus: (offset, length) => [{ offset, length, hole: false, zero: false }],
    close: () => undefined,
  }
  const first = prepareOverlay({ fs, directory: '/o', bootId: bootId('a') })
  const writer = new Overlay(first.handoff, device, { fs })
  writer.write(0, Buffer.alloc(GRAIN_SIZE, 1))
  writer.flush()
  writer.close()
  first.close()
  const files = openOverlayFiles(fs, '/o')
  const dirty = new DirtyLog(fs, files.dirty, grains)
  let slot = 0
  const record = (grain: number, state: 1 | 2): void => {
    dirty.write(slot, { first: grain, count: 1, state })
    slot += 1
  }
  record(0, GrainState.zero) // Trimmed …
  for (let i = 1; i <= BATCH_RUNS_MAX; i += 1) record(2 * (i % 60_000) + 2, GrainState.zero)
  record(0, GrainState.written) // … and written again: that is what was flushed.
  files.close()

  const second = prepareOverlay({ fs, directory: '/o', bootId: bootId('a') })
  const overlay = new Overlay(second.handoff, device, { fs })
  const sync = fs.dataSync.bind(fs)
  let syncs = 0
  fs.dataSync = (file) => {
    syncs += 1
    if (syncs > 2) throw new MaasError('FS_IO', 'the power goes', {})
    sync(file)
  }
  try {
    overlay.flush()
  } catch (error) {
    expect(error).toMatchObject({ code: 'OVERLAY_FAILED' })
  }
  fs.dataSync = sync
  overlay.close()
  second.close()
  if (syncs > 2) {
    // The batch that was written and not synced is torn.
    const journal = fs.open('/o/journal.a', 'readWrite')
    fs.truncate(journal, fs.size(journal) - 8)
    fs.close(journal)
  }

  const third = prepareOverlay({ fs, directory: '/o', bootId: bootId('b') })
  const after = new Overlay(third.handoff, device, { fs })
  expect(after.map.get(0)).toBe(GrainState.written)
  after.close()
  third.close()
})
