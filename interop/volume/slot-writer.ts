/**
 * Overwrites the slots of the file argv[2], one after the other, again and again; prints the number
 * of each record after fdatasync. Ends with the first error of the disk.
 */
import { fdatasyncSync, openSync, writeSync } from 'node:fs'
import process from 'node:process'
import { makeRecord, RECORD_SIZE, SLOTS } from './slots.ts'

/** Far more than any test waits for. */
const RECORDS_MAX = 10_000_000

const file = openSync(process.argv[2]!, 'w')
try {
  for (let number = 0; number < RECORDS_MAX; number += 1) {
    writeSync(file, makeRecord(number), 0, RECORD_SIZE, (number % SLOTS) * RECORD_SIZE)
    fdatasyncSync(file)
    writeSync(1, `${number}\n`)
  }
} catch (error) {
  if ((error as NodeJS.ErrnoException).syscall === undefined) throw error
}
