import { describe, expect, test } from 'vitest'
import { MaasError } from '@openmaas/kernel/errors'
import { MemoryFs } from '@openmaas/testkit/memory-fs'
import { LogMirrors, readMirror } from './mirrors.ts'
import { FIRST_MAC, RecordCodec } from './record.ts'
import type { LogRecord } from './record.ts'
import { recoverLog } from './recovery.ts'
import { LogType } from './types.ts'
import { LogWriter } from './writer.ts'

const codec = new RecordCodec(Buffer.alloc(32, 1))
const directories = ['/a', '/b']
const unpin = (id: string) => ({ type: LogType.unpin, body: { id } }) as const

class CountingFs extends MemoryFs {
  syncs = 0
  failAt = Number.POSITIVE_INFINITY

  override dataSync(file: number): void {
    this.syncs += 1
    if (this.syncs === this.failAt) throw new MaasError('FS_IO', 'input/output error')
    super.dataSync(file)
  }
}

function makeWriter(fs: CountingFs): { writer: LogWriter; applied: LogRecord[] } {
  for (const directory of directories) fs.makeDirectory(directory)
  LogMirrors.create(fs, directories, Buffer.alloc(0))
  const recovery = recoverLog(
    codec,
    directories.map((directory) => readMirror(fs, directory)),
  )
  const mirrors = LogMirrors.restore(fs, directories, recovery)
  fs.syncs = 0
  const applied: LogRecord[] = []
  const writer = new LogWriter({
    codec,
    mirrors,
    position: { sequence: 0, offset: 0, mac: FIRST_MAC },
    ownerEpoch: 1,
    apply: (record) => void applied.push(record),
    yieldTurn: () => Promise.resolve(),
  })
  return { writer, applied }
}

const readBack = (fs: CountingFs) =>
  recoverLog(
    codec,
    directories.map((directory) => readMirror(fs, directory)),
  )

describe('the log writer', () => {
  test('one sync per mirror serves all records of a turn', async () => {
    const fs = new CountingFs()
    const { writer, applied } = makeWriter(fs)
    await Promise.all(['x', 'y', 'z'].map((id) => writer.append(unpin(id))))
    expect(fs.syncs).toBe(2)
    expect(applied.map(({ batchIndex }) => batchIndex)).toEqual([0, 1, 2])
    expect(readBack(fs).records.map(({ entry }) => entry)).toEqual(['x', 'y', 'z'].map(unpin))
  })

  test('a check sees every earlier entry applied, and refuses only its own', async () => {
    const fs = new CountingFs()
    const { writer, applied } = makeWriter(fs)
    const seen: number[] = []
    const check = () => void seen.push(applied.length)
    const results = await Promise.allSettled([
      writer.append(unpin('1'), check),
      writer.append(unpin('2')),
      writer.append(unpin('3'), () => {
        check()
        throw new MaasError('SNAPSHOT_LOCKED', 'no')
      }),
      writer.append(unpin('4'), check),
    ])
    expect(seen).toEqual([0, 2, 2])
    expect(results.map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'rejected',
      'fulfilled',
    ])
    expect(applied.map(({ sequence }) => sequence)).toEqual([1, 2, 3])
  })

  test.each([1, 2])(
    'a failed sync of mirror %i ends the writer, and is not tried again',
    async (n) => {
      const fs = new CountingFs()
      const { writer, applied } = makeWriter(fs)
      fs.failAt = n
      const failed = { code: 'POOL_READ_ONLY' }
      await expect(writer.append(unpin('1'))).rejects.toMatchObject(failed)
      await expect(writer.append(unpin('2'))).rejects.toMatchObject(failed)
      expect(fs.syncs).toBe(n)
      expect(applied).toEqual([])
    },
  )
})
