/** Objects of the server as a table, JSON, YAML, or ids alone (`-o`). */
import { stringify } from 'yaml'
import { MaasError } from '@openmaas/kernel/errors'
import { formatBytes, formatDuration } from '@openmaas/kernel/units'
import { formatAge, formatLocal } from '../format/time.ts'
import type { Column as TableColumn } from '../format/table.ts'
import { printable } from '../format/width.ts'
import type { MessageKey } from '../messages/english.ts'
import type { Input } from '../program/input.ts'
import type { Site } from '../program/site.ts'
import { textOf } from './server.ts'
import type { Row } from './server.ts'

export const FORMATS = ['table', 'wide', 'json', 'yaml', 'name'] as const
export type Format = (typeof FORMATS)[number]

/** A key of the messages without placeholders. */
export type TitleKey = Extract<MessageKey, `col.${string}`>

export type CellKind =
  | 'text'
  | 'bytes'
  | 'count'
  | 'time'
  | 'labels'
  | 'list'
  | 'flag'
  | 'duration'
  /** An id, shown by the name of what it is the id of. */
  | 'reference'
  | 'references'

export interface ColumnSpec {
  readonly title: TitleKey
  /** Of the object; `a.b` goes into it. */
  readonly field: string
  readonly kind?: CellKind
  /** Only with `-o wide`. */
  readonly wide?: true
}

export function formatOf(input: Input, site: Site): Format {
  const chosen = input.choice('output', FORMATS)
  return chosen ?? (site.out.json ? 'json' : 'table')
}

/** For people: on a terminal, and wherever a table is asked for by its name. */
export function isForPeople(input: Input, site: Site): boolean {
  return site.out.isTerminal || ['table', 'wide'].includes(input.text('output') ?? '')
}

export function fieldOf(row: Row, path: string): unknown {
  let value: unknown = row
  for (const part of path.split('.')) {
    if (typeof value !== 'object' || value === null) return undefined
    value = (value as Row)[part]
  }
  return value
}

function joinLabels(value: unknown): string {
  const entries = Object.entries((value ?? {}) as Record<string, unknown>)
  return entries.map(([key, each]) => `${key}=${textOf(each)}`).join(',')
}

/** One value: with its unit for people, bare for programs. */
function formatCell(
  value: unknown,
  kind: CellKind,
  { site, input, names = NO_NAMES }: ShowOptions,
): string {
  const { text, clock } = site
  if (value === null || value === undefined || value === '') return ''
  if (kind === 'labels') return joinLabels(value)
  if (kind === 'list') return (value as readonly unknown[]).map(String).join(',')
  if (kind === 'references') {
    const ids = value as readonly unknown[]
    return ids.map((id) => printable(names.get(textOf(id)) ?? textOf(id))).join(',')
  }
  if (kind === 'reference') return printable(names.get(textOf(value)) ?? textOf(value))
  if (!isForPeople(input, site)) return textOf(value)
  if (kind === 'bytes') return formatBytes(Number(value))
  if (kind === 'count') return Number(value).toLocaleString('en-US')
  if (kind === 'duration') return formatDuration(Number(value))
  if (kind === 'flag') return text(value === true ? 'server.yes' : 'server.no')
  if (kind === 'time') {
    const at = new Date(textOf(value))
    const age = clock.wallMs() - at.getTime()
    return age < 0 ? formatLocal(at) : `${formatLocal(at)}  ${formatAge(age, text)}`
  }
  return printable(textOf(value))
}

/** Id → name, of what a list refers to. */
export type Names = ReadonlyMap<string, string>
export const NO_NAMES: Names = new Map()

export function yamlOf(value: unknown): string {
  return stringify(value, { lineWidth: 0 }).trimEnd()
}

function showTable(
  columns: readonly ColumnSpec[],
  rows: readonly Row[],
  options: ShowOptions,
): void {
  const { site, input } = options
  const shown = columns.filter((column) => column.wide !== true || formatOf(input, site) === 'wide')
  const cells = rows.map((row) =>
    shown.map(({ field, kind = 'text' }) => formatCell(fieldOf(row, field), kind, options)),
  )
  const { out, text } = site
  const right = new Set<CellKind>(['bytes', 'count', 'duration'])
  const titles = shown.map(({ title, kind = 'text' }): TableColumn => ({
    title: text(title),
    align: right.has(kind) ? 'right' : 'left',
  }))
  const aligned = isForPeople(input, site)
  out.table(titles, cells, { heading: !input.has('no-headers'), aligned })
}

export interface ShowOptions {
  readonly site: Site
  readonly input: Input
  readonly names?: Names
  /** What a name of it is where it has no id: `seq` of the audit log. */
  readonly idField?: string
}

/** A list, in the format asked for. */
export function showRows(
  columns: readonly ColumnSpec[],
  rows: readonly Row[],
  options: ShowOptions,
): void {
  const { site, input, idField = 'id' } = options
  const { out } = site
  const format = formatOf(input, site)
  if (format === 'json') out.value(rows)
  else if (format === 'yaml') out.line(yamlOf(rows))
  else if (format === 'name') for (const row of rows) out.line(textOf(row[idField]))
  else showTable(columns, rows, options)
}

/** One object: every field on a line of its own; numbers and times also as people say them. */
export function showRow(row: Row, options: ShowOptions): void {
  const { site, input, idField = 'id' } = options
  const { out } = site
  const format = formatOf(input, site)
  if (format === 'json') out.value(row)
  else if (format === 'name') out.line(textOf(row[idField]))
  else if (format === 'yaml') out.line(printableLines(yamlOf(row)))
  else if (isForPeople(input, site)) out.line(annotated(yamlOf(withCommands(row)), site))
  else out.line(printableLines(yamlOf(withCommands(row))))
}

/** Where the API has an address, a person has a command. */
function withCommands(row: Row): Row {
  if (!('logUrl' in row)) return row
  const { logUrl: _, ...rest } = row
  return { ...rest, log: `openmaas job log ${textOf(row['id'])}` }
}

const MEASURED = /^\s*(?:- )?\w*?(?<unit>Bytes|Ms|Seconds|At|Until): "?(?<value>[^"\s]+)"?$/

/** As comments, so that it stays YAML: `writtenBytes: 12582912  # 12.0 MiB`. */
function annotated(yaml: string, site: Site): string {
  const lines = yaml.split('\n').map((line) => {
    const { unit = '', value = '' } = MEASURED.exec(line)?.groups ?? {}
    const said = unit === '' ? '' : inWords(unit, value, site)
    return said === '' ? printable(line) : `${printable(line)}  # ${said}`
  })
  return lines.join('\n')
}

function inWords(unit: string, value: string, { text, clock }: Site): string {
  if (unit === 'At' || unit === 'Until') {
    const at = Date.parse(value)
    if (Number.isNaN(at)) return ''
    const ageMs = clock.wallMs() - at
    return ageMs < 0 ? formatLocal(new Date(at)) : formatAge(ageMs, text)
  }
  const count = Number(value)
  if (Number.isNaN(count)) return ''
  if (unit === 'Bytes') return formatBytes(count)
  return formatDuration(unit === 'Ms' ? count : count * 1000)
}

function printableLines(text: string): string {
  return text
    .split('\n')
    .map((line) => printable(line))
    .join('\n')
}

/** Labels from `key=value` options. */
export function labelsOf(input: Input, option: string): Record<string, string> {
  const labels: Record<string, string> = {}
  for (const text of input.list(option)) {
    const equals = text.indexOf('=')
    if (equals < 1) {
      throw new MaasError('USAGE', `--${option} wants key=value, not "${text}"`, { option })
    }
    labels[text.slice(0, equals)] = text.slice(equals + 1)
  }
  return labels
}
