/** What the timeline keeps in the address; light, since the routes load it at once. */
import { z } from 'zod'

export const ZOOMS = ['year', 'month', 'week', 'day', 'hour'] as const
export type Zoom = (typeof ZOOMS)[number]
export const ZOOM_DEFAULT: Zoom = 'week'

const TIME_LENGTH_MAX = 64

export const timelineSearch = z.object({
  zoom: z.enum(ZOOMS).optional().catch(undefined),
  /** A moment in the middle of what is shown; absent: now. */
  at: z.iso.datetime().max(TIME_LENGTH_MAX).optional().catch(undefined),
  /** The point that is looked at. */
  point: z.string().max(TIME_LENGTH_MAX).optional().catch(undefined),
})
export type TimelineSearch = z.infer<typeof timelineSearch>
