/** Sample files of a small office: enough to see speed, little enough to be made in a second. */
import { randomFillSync } from 'node:crypto'
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'

const LETTERS_COUNT = 1500
const PHOTOS_COUNT = 12
/** Photos do not compress; letters do. */
const PHOTO_SIZE = 1 << 20

/** The file that the demo changes and then finds again. */
export const REPORT = 'reports/annual.txt'
export const REPORT_BEFORE = 'Revenue grew by 12 %.\n'
export const REPORT_AFTER = 'Revenue grew by 1.2 %.   (someone "corrected" this)\n'

/** @returns how many files, and their bytes */
export function makeSampleFiles(directory: string): { files: number; bytes: number } {
  let files = 0
  let bytes = 0
  const write = (name: string, content: string | Buffer): void => {
    writeFileSync(path.join(directory, name), content)
    files += 1
    bytes += content.length
  }
  for (const folder of ['letters', 'photos', 'reports']) {
    mkdirSync(path.join(directory, folder), { recursive: true })
  }
  for (let number = 1; number <= LETTERS_COUNT; number += 1) {
    const name = `letters/letter-${String(number).padStart(4, '0')}.txt`
    const line = `Dear customer ${number}, thank you for your order of ${number % 97} boxes.\n`
    write(name, line.repeat(40 + (number % 60)))
  }
  for (let number = 1; number <= PHOTOS_COUNT; number += 1) {
    write(`photos/photo-${number}.jpg`, randomFillSync(Buffer.alloc(PHOTO_SIZE)))
  }
  write(REPORT, REPORT_BEFORE)
  symlinkSync('annual.txt', path.join(directory, 'reports/latest.txt'))
  return { files, bytes }
}

/** What goes wrong on an ordinary day. */
export function damageSampleFiles(directory: string): void {
  writeFileSync(path.join(directory, REPORT), REPORT_AFTER)
  rmSync(path.join(directory, 'photos/photo-7.jpg'))
  writeFileSync(path.join(directory, 'letters/letter-0042.txt'), 'new text\n')
  writeFileSync(path.join(directory, 'reports/new.txt'), 'a new report\n')
}
