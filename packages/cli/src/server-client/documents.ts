/** `openmaas apply` and `openmaas export`: the configuration as YAML documents. */
import { closeSync, openSync, readSync } from 'node:fs'
import path from 'node:path'
import { parseAllDocuments } from 'yaml'
import type { Document } from 'yaml'
import type { ApplyResult } from '@openmaas/api/resources/document'
import { ROUTES } from '@openmaas/api/routes/routes'
import { toMaasError } from '@openmaas/kernel/error-message'
import { MaasError } from '@openmaas/kernel/errors'
import { formatBytes } from '@openmaas/kernel/units'
import { printable } from '../format/width.ts'
import type { Color } from '../program/output.ts'
import type { Site } from '../program/site.ts'
import type { Row, ServerRun } from './server.ts'
import { formatOf, showRow, yamlOf } from './show.ts'

const STDIN = 0

/** What the server takes; parsing more of it would take minutes, for a refusal. */
const TEXT_BYTES_MAX = ROUTES.applyDocuments.bodyBytesMax
const PIECE_BYTES = 64 * 1024

/** @throws MaasError CONFIG_INVALID: more than the server takes; no more of it is read */
export function readText(file: string, site: Pick<Site, 'directory'>): string {
  const pieces: Buffer[] = []
  let size = 0
  try {
    const fd = file === '-' ? STDIN : openSync(path.resolve(site.directory, file), 'r')
    try {
      while (size <= TEXT_BYTES_MAX) {
        const piece = Buffer.alloc(PIECE_BYTES)
        const length = readSync(fd, piece)
        if (length === 0) return Buffer.concat(pieces).toString('utf8')
        pieces.push(piece.subarray(0, length))
        size += length
      }
    } finally {
      if (fd !== STDIN) closeSync(fd)
    }
  } catch (error) {
    throw toMaasError(error)
  }
  const message = `${file} is longer than ${formatBytes(TEXT_BYTES_MAX)}: apply it in parts`
  throw new MaasError('CONFIG_INVALID', message, { path: file, bytesMax: TEXT_BYTES_MAX })
}

/** @throws MaasError CONFIG_INVALID, with the line */
export function parseDocuments(text: string, file: string): unknown[] {
  const documents: unknown[] = []
  for (const document of parseAllDocuments(text)) {
    const [problem] = document.errors
    if (problem !== undefined) {
      const line = problem.linePos?.[0].line ?? 1
      const [reason] = problem.message.split('\n')
      const message = `${file}, line ${line}: ${reason}`
      throw new MaasError('CONFIG_INVALID', message, { path: file, line })
    }
    const value = valueOf(document, file)
    // A file may begin or end with "---".
    if (value !== null) documents.push(...(Array.isArray(value) ? value : [value]))
  }
  if (documents.length === 0) {
    throw new MaasError('CONFIG_INVALID', `${file} holds no document`, { path: file })
  }
  return documents
}

/** Aliases of aliases of aliases grow beyond any memory: the parser refuses them here. */
function valueOf(document: Document.Parsed, file: string): unknown {
  try {
    return document.toJS()
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new MaasError('CONFIG_INVALID', `${file}: ${reason}`, { path: file }, { cause })
  }
}

const SIGNS = { create: '+', change: '~', none: '=' } as const
const COLORS = { create: 'green', change: 'yellow', none: 'dim' } as const satisfies Record<
  string,
  Color
>

function show(value: unknown): string {
  return value === undefined || value === null ? '∅' : printable(JSON.stringify(value))
}

/** One line per document, and one below it for each difference. */
export function showChanges({ changes, applied }: ApplyResult, site: Site): void {
  const { out, text } = site
  for (const { kind, name, action, differences, warnings } of changes) {
    out.line(out.paint(COLORS[action], `${SIGNS[action]} ${kind} ${printable(name)}`))
    for (const { path: field, before, after } of differences) {
      const values = action === 'create' ? show(after) : `${show(before)} → ${show(after)}`
      out.line(`    ${field}: ${values}`)
    }
    for (const warning of warnings) {
      out.note(`${out.paint('yellow', text('warning.label'))} ${printable(warning)}`)
    }
  }
  const count = changes.filter(({ action }) => action !== 'none').length
  out.note(text(applied ? 'apply.done' : 'apply.wouldDo', { count }))
}

export const apply: ServerRun = async (server, input, site) => {
  const files = input.list('file')
  if (files.length === 0) {
    throw new MaasError('USAGE', '"openmaas apply" wants -f <file>, or -f - for stdin', {
      option: 'file',
    })
  }
  const documents = files.flatMap((file) => parseDocuments(readText(file, site), file))
  const reason = input.text('reason')
  const approvalId = input.text('approval')
  const body = {
    documents,
    ...(reason !== undefined && { reason }),
    ...(approvalId !== undefined && { approvalId }),
  }
  const dryRun = input.has('dry-run')
  const { body: result } = await server.request('applyDocuments', { body, dryRun })
  if (formatOf(input, site) === 'table') showChanges(result as unknown as ApplyResult, site)
  else showRow(result, { site, input })
}

export const exportAll: ServerRun = async (server, input, site) => {
  const kinds = input.positionals
  const query = kinds.length === 0 ? {} : { kinds: kinds.join(',') }
  const { body } = await server.request('exportDocuments', { query })
  const documents = body['documents'] as readonly Row[]
  if (formatOf(input, site) === 'json') site.out.value(documents)
  else site.out.line(documents.map((document) => yamlOf(document)).join('\n---\n'))
}
