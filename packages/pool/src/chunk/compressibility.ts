/**
 * Decides from a sample whether bytes are worth compressing. Random and already compressed data
 * have a flat histogram; skipping them saves the slowest step of the capture.
 */
import { KiB } from '@openmaas/kernel/units'

/**
 * Sum of squared counts over 256 values, of a sample spread evenly over the chunk. A flat
 * histogram of n samples expects n + n · (n - 1) / 256 with a standard deviation of n / 11: 69,616
 * ± 360 of 4096, 1,534 ± 46 of 512. 7.85 bits of entropy per byte, where zstd gains less than its
 * frame costs, correspond to about 84,000 of 4096. Few samples tell less: the border is nearer to
 * what is expected, and what it misses is given to zstd.
 */
interface Probe {
  readonly samples: number
  readonly squaresMax: number
}

const LARGE: Probe = { samples: 4096, squaresMax: 76_000 }
/** A tenth of the time that zstd takes to find it out. */
const SMALL: Probe = { samples: 512, squaresMax: 1_720 }

const LARGE_SIZE_MIN = 16 * KiB
/** Smaller chunks are given to zstd: finding out costs as much as trying. */
const PROBE_MIN = 4 * KiB

const counts = new Uint16Array(256)

/** True when the bytes look like random ones. Cost: about 5 µs, of a small chunk 0.5 µs. */
export function looksRandom(raw: Buffer): boolean {
  const { length } = raw
  if (length < PROBE_MIN) return false
  const { samples, squaresMax } = length < LARGE_SIZE_MIN ? SMALL : LARGE
  counts.fill(0)
  const step = Math.floor(length / samples)
  let squares = 0
  for (let i = 0, at = 0; i < samples; i += 1, at += step) {
    const value = raw[at]!
    const count = counts[value]!
    // (count + 1)² - count²
    squares += 2 * count + 1
    counts[value] = count + 1
  }
  return squares < squaresMax
}
