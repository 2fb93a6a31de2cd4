/** Block status lists: adjacent extents of one kind become one. */
import type { BlockExtent } from '@openmaas/kernel/block-device'

/** Appends the extent, or lengthens the last one that it continues. */
export function pushExtent(extents: BlockExtent[], extent: BlockExtent): void {
  const last = extents.at(-1)
  const continues =
    last !== undefined &&
    last.offset + last.length === extent.offset &&
    last.hole === extent.hole &&
    last.zero === extent.zero
  if (continues) extents[extents.length - 1] = { ...last, length: last.length + extent.length }
  else if (extent.length > 0) extents.push(extent)
}
