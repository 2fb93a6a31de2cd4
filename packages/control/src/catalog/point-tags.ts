/**
 * What a snapshot says about where it comes from, so that a lost catalog can be rebuilt from
 * the pools alone: `openmaas.*` tags, written with the capture (order `source.capture`) and read
 * by `openmaas catalog rebuild`. The table of names: docs/internals/catalog.md.
 */
import { labels, labelSelector } from '@openmaas/api/resources/common'
import { sourceOptions } from '@openmaas/api/resources/source'
import { policySpec } from '@openmaas/api/policy'
import { z } from 'zod'

const PREFIX = 'openmaas.'
/** On the snapshot of a catalog's export, which is no recovery point. */
export const CATALOG_TAG = `${PREFIX}catalog`
/** What the orders carry per tag (channel/orders.ts). */
const TAG_LENGTH_MAX = 4096

/** A policy as it was when the point was taken. */
const policyTag = z.object({
  id: z.string().min(1).max(64),
  name: z.string().min(1).max(128),
  selector: labelSelector.nullable().default(null),
  priority: z.number().int().default(0),
  spec: policySpec,
})
export type PolicyTag = z.output<typeof policyTag>

export interface PointTags {
  readonly sourceId: string
  readonly sourceName: string
  readonly sourcePath: string
  readonly sourceOptions: z.output<typeof sourceOptions>
  readonly hostId: string
  readonly hostName: string
  readonly labels: Readonly<Record<string, string>>
  /** Named by the source itself, not chosen by its selector. */
  readonly pinnedPolicy: boolean
  readonly policy: PolicyTag | null
}

/** What does not fit is left out: a point without it is worth more than none. */
function fitting(tags: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(tags).filter(([, value]) => value.length > 0 && value.length <= TAG_LENGTH_MAX),
  )
}

export function makePointTags(point: PointTags): Record<string, string> {
  return fitting({
    'openmaas.source-id': point.sourceId,
    'openmaas.source-name': point.sourceName,
    'openmaas.source-path': point.sourcePath,
    'openmaas.source-options': JSON.stringify(point.sourceOptions),
    'openmaas.host-id': point.hostId,
    'openmaas.host-name': point.hostName,
    'openmaas.labels': JSON.stringify(point.labels),
    'openmaas.policy': point.policy === null ? '' : JSON.stringify(point.policy),
    'openmaas.policy-pinned': point.pinnedPolicy && point.policy !== null ? '1' : '',
  })
}

/** Undefined where the tag is missing or not what we would have written. */
function readTag<T extends z.ZodType>(
  text: string | undefined,
  schema: T,
): z.output<T> | undefined {
  if (text === undefined) return undefined
  try {
    return schema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

export function parsePointTags(tags: Readonly<Record<string, string>>): Partial<PointTags> {
  const read: Partial<PointTags> = {
    ...(tags['openmaas.source-id'] !== undefined && { sourceId: tags['openmaas.source-id'] }),
    ...(tags['openmaas.source-name'] !== undefined && { sourceName: tags['openmaas.source-name'] }),
    ...(tags['openmaas.source-path'] !== undefined && { sourcePath: tags['openmaas.source-path'] }),
    ...(tags['openmaas.host-id'] !== undefined && { hostId: tags['openmaas.host-id'] }),
    ...(tags['openmaas.host-name'] !== undefined && { hostName: tags['openmaas.host-name'] }),
    pinnedPolicy: tags['openmaas.policy-pinned'] === '1',
  }
  const options = readTag(tags['openmaas.source-options'], sourceOptions)
  const label = readTag(tags['openmaas.labels'], labels)
  const policy = readTag(tags['openmaas.policy'], policyTag)
  return {
    ...read,
    ...(options !== undefined && { sourceOptions: options }),
    ...(label !== undefined && { labels: label }),
    ...(policy !== undefined && { policy }),
  }
}
