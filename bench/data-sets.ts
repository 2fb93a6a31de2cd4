/**
 * The data that is measured on, made once into the data directory by packages/testkit/src/data.ts
 * and kept between runs. A set counts as made when its stamp, which is written last, names it.
 */
import { closeSync, existsSync, fdatasyncSync, mkdirSync, openSync, rmSync } from 'node:fs'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { GiB, MiB } from '@openmaas/kernel/units'
import { changeImage, makeImage, makeTree } from '@openmaas/testkit/data'
import { say } from './output.ts'

/** Of what makeTree and makeImage make: another one makes all data anew. */
const VERSION = 1

export interface TreeData {
  readonly path: string
  readonly files: number
  readonly bytes: number
}

export interface ImageData {
  /** Two states of one disk; the second differs in 1 % of its 64 KiB blocks. */
  readonly before: string
  readonly after: string
  readonly bytes: number
  readonly changedBytes: number
}

export class DataSets {
  readonly #directory: string
  readonly #quick: boolean

  constructor(directory: string, quick: boolean) {
    this.#directory = directory
    this.#quick = quick
    mkdirSync(directory, { recursive: true })
  }

  /** 100,000 files of 4–16 KiB, 100 in each directory: 1 GB. */
  tree(): TreeData {
    const files = this.#quick ? 5000 : 100_000
    const path = join(this.#directory, `files-${files}`)
    return this.#once(path, (): TreeData => {
      const { bytes } = makeTree(path, { files })
      return { path, files, bytes }
    })
  }

  /** 4 GiB of mixed compressibility. */
  image(): ImageData {
    const bytes = this.#quick ? 256 * MiB : 4 * GiB
    const path = join(this.#directory, `image-${bytes / MiB}`)
    return this.#once(path, (): ImageData => {
      mkdirSync(path)
      const [before, after] = [join(path, 'before'), join(path, 'after')]
      makeImage(before, bytes)
      copyFileSync(before, after)
      const changedBytes = changeImage(after, { percent: 1 })
      return { before, after, bytes, changedBytes }
    })
  }

  #once<T>(path: string, make: () => T): T {
    const stamp = `${path}.json`
    if (existsSync(stamp)) {
      const made = JSON.parse(readFileSync(stamp, 'utf8')) as { version: number; data: T }
      if (made.version === VERSION) return made.data
    }
    say(`making ${path}`)
    rmSync(path, { recursive: true, force: true })
    const data = make()
    writeFileSync(stamp, JSON.stringify({ version: VERSION, data }))
    settle(stamp)
    return data
  }
}

/** Waits until what was written is on the disk: its writing would slow what is measured next. */
function settle(path: string): void {
  const file = openSync(path, 'r')
  fdatasyncSync(file)
  closeSync(file)
}
