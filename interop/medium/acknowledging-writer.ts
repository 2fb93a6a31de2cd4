/**
 * Appends records of 4 KiB to the file argv[2]; prints the number of each after fdatasync. Ends
 * with the first error of the disk.
 */
import { fdatasyncSync, openSync, writeSync } from 'node:fs'
import process from 'node:process'

/** Far more than any test waits for. */
const RECORDS_MAX = 1_000_000

const file = openSync(process.argv[2]!, 'wx')
try {
  for (let number = 0; number < RECORDS_MAX; number += 1) {
    const record = Buffer.alloc(4096, number & 0xff)
    record.writeUInt32LE(number, 0)
    writeSync(file, record, 0, record.length, number * record.length)
    fdatasyncSync(file)
    writeSync(1, `${number}\n`)
  }
} catch (error) {
  if ((error as NodeJS.ErrnoException).syscall === undefined) throw error
}
