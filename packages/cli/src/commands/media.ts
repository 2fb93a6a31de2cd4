/** `openmaas media`: what is plugged, without the passphrase. */
import { NodeFs } from '@openmaas/kernel/node-fs'
import { listMediaStatus } from '@openmaas/agent/media/reconcile'
import { deviceOf } from '@openmaas/medium/media/record'
import { formatBytes } from '@openmaas/kernel/units'
import { printable } from '../format/width.ts'
import { mediumJson } from '../pool/media.ts'
import { requirePool } from '../pool/open.ts'
import type { Input } from '../program/input.ts'
import type { Site } from '../program/site.ts'

export async function run(_input: Input, site: Site): Promise<void> {
  const { out, text } = site
  const media = listMediaStatus({ fs: new NodeFs(), path: requirePool(site) })
  if (out.json) {
    out.value(
      media.map(({ record, state, enginePid, overlayBytes }) => ({
        ...mediumJson(record),
        ...(state === 'interrupted' && { device: null }),
        state,
        enginePid: enginePid ?? null,
        overlayBytes: overlayBytes ?? null,
      })),
    )
    return
  }
  if (media.length === 0) {
    out.note(text('media.none'))
    return
  }
  const rows = media.map(({ record, state, overlayBytes }) => {
    const { attachment } = record
    return [
      out.isTerminal ? record.id.slice(-6) : record.id,
      out.isTerminal ? record.snapshotId.slice(-6) : record.snapshotId,
      printable(record.sourceName),
      out.isTerminal ? text(`media.${state}`) : state,
      // Of an interrupted one it is the disk that it had.
      state === 'interrupted' ? '' : (deviceOf(attachment) ?? ''),
      printable(attachment?.mountPoint ?? ''),
      attachment?.nbd ?? '',
      overlayBytes === undefined ? '' : formatBytes(overlayBytes),
    ]
  })
  out.table(
    [
      { title: text('column.medium') },
      { title: text('column.point') },
      { title: text('column.source') },
      { title: text('column.state') },
      { title: text('column.device') },
      { title: text('column.mount') },
      { title: text('column.export') },
      { title: text('column.written'), align: 'right' },
    ],
    rows,
  )
  out.say('')
  out.say(text('media.next'))
}
