/** Sizes and masks of content-defined chunking (docs/formats/chunking.md). */
import { KiB } from '@openmaas/kernel/units'

/** Below it the cost per chunk dominates. */
export const CHUNK_SIZE_MIN = 16 * KiB
/** Where the mask gets easier: the mean over random bytes is about 67 KiB. */
export const CHUNK_SIZE_AVERAGE = 64 * KiB
/** Largest content-defined chunk. */
export const CHUNK_SIZE_CUT_MAX = 256 * KiB

/** Top bits of the hash: they depend on the most bytes (a bit k on the last k + 1). */
export const MASK_BEFORE_AVERAGE = 0xffff_8000_0000_0000n
export const MASK_AFTER_AVERAGE = 0xfffc_0000_0000_0000n
