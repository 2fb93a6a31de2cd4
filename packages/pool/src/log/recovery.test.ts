import { describe, expect, test } from 'vitest'
import { makeLog, testCodec } from './log-model.ts'
import { recoverLog } from './recovery.ts'
import { LogType } from './types.ts'

describe('recovery of the log', () => {
  const log = makeLog([2, 3, 1])

  test('an untouched log is as it was', () => {
    const recovery = recoverLog(testCodec, [log.bytes, log.bytes])
    expect(recovery.records.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5, 6])
    expect(recovery).toMatchObject({ intact: [true, true], damaged: [false, false], tornBytes: 0 })
    expect(recovery.lastBatchOffset).toBe(log.ends[4])
  })

  test('a tail that is not a whole record is given up', () => {
    const torn = log.bytes.subarray(0, log.bytes.length - 1)
    const recovery = recoverLog(testCodec, [torn, torn])
    expect(recovery.records.length).toBe(5)
    expect(recovery.intact).toEqual([false, false])
  })

  test('a hole inside the last batch is a torn write', () => {
    const twoBatches = makeLog([2, 3])
    const torn = Buffer.from(twoBatches.bytes)
    torn.fill(0, twoBatches.ends[1], twoBatches.ends[2])
    expect(recoverLog(testCodec, [torn, torn]).records.length).toBe(2)
  })

  test('a hole before a later batch is corruption, and nothing is cut off', () => {
    const holed = Buffer.from(log.bytes)
    holed.fill(0, log.ends[1], log.ends[2])
    const recover = () => recoverLog(testCodec, [holed, holed])
    expect(recover).toThrowError(expect.objectContaining({ code: 'LOG_CORRUPT' }))
  })

  test('each mirror supplies what the other lost', () => {
    const [a, b] = [Buffer.from(log.bytes), Buffer.from(log.bytes)]
    a.fill(0xff, 0, log.ends[0])
    b.fill(0xff, log.ends[2], log.ends[4])
    const recovery = recoverLog(testCodec, [a, b])
    expect(recovery.bytes.equals(log.bytes)).toBe(true)
    expect(recovery.damaged).toEqual([true, true])
  })

  test('the mirror that an owner went on without loses the fork', () => {
    const common = makeLog([2], 1)
    const last = testCodec.decode(common.bytes, common.ends[0]!)!
    const third = (ownerEpoch: number, id: string): Buffer => {
      const head = { sequence: 3, ownerEpoch, batchIndex: 0, previousMac: last.mac }
      return testCodec.encode(head, { type: LogType.unpin, body: { id } })
    }
    const behind = Buffer.concat([common.bytes, third(1, 'never acknowledged')])
    const ahead = Buffer.concat([common.bytes, third(2, 'the later owner')])
    for (const mirrors of [
      [behind, ahead],
      [ahead, behind],
    ]) {
      expect(recoverLog(testCodec, mirrors).bytes.equals(ahead)).toBe(true)
    }
    const other = Buffer.concat([common.bytes, third(2, 'the same owner, differently')])
    expect(() => recoverLog(testCodec, [ahead, other])).toThrowError(
      expect.objectContaining({ code: 'LOG_CORRUPT' }),
    )
  })

  test('nothing at all is an empty log', () => {
    const recovery = recoverLog(testCodec, [Buffer.alloc(0), undefined])
    expect(recovery).toMatchObject({ records: [], damaged: [false, true] })
  })
})
