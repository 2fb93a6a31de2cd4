/** Rows of measurements as Markdown tables, and words on stderr meanwhile. */
import type { Cost } from './measure.ts'
import { median } from './measure.ts'

export function say(text: string): void {
  process.stderr.write(`bench: ${text}\n`)
}

export interface Row {
  readonly work: string
  readonly tool: string
  readonly costs: Cost[]
  /** Of the data the work was done on. */
  readonly bytes: number
  readonly files?: number
  /** What the repository grew by. */
  storedBytes?: number
}

const HEADER =
  '| work | tool | wall s | × restic | MB/s | files/s | CPU s (user + sys) | × restic | ' +
  'peak MB | stored MB |\n|---|---|---|---|---|---|---|---|---|---|'

/** Ratios are to the first tool whose name begins with `restic` in the same work. */
export function formatRows(rows: readonly Row[]): string {
  const lines = rows.map((row) => formatRow(row, reference(rows, row.work)))
  return [HEADER, ...lines].join('\n')
}

function reference(rows: readonly Row[], work: string): Row | undefined {
  return rows.find((row) => row.work === work && row.tool.startsWith('restic'))
}

function formatRow(row: Row, restic: Row | undefined): string {
  const wall = wallMs(row)
  const cpu = cpuMs(row)
  const ratio = (ours: number, theirs: number | undefined): string =>
    theirs === undefined || row === restic ? '' : `${(theirs / ours).toFixed(1)}×`
  const { files, bytes, storedBytes } = row
  const cells = [
    row.work,
    row.tool,
    (wall / 1000).toFixed(2),
    ratio(wall, restic && wallMs(restic)),
    String(Math.round(bytes / 1000 / wall)),
    files === undefined ? '' : Math.round((files * 1000) / wall).toLocaleString('en'),
    `${seconds(medianOf(row, 'userMs'))} + ${seconds(medianOf(row, 'systemMs'))}`,
    ratio(cpu, restic && cpuMs(restic)),
    String(Math.round(Math.max(...row.costs.map((cost) => cost.peakBytes)) / 1e6)),
    storedBytes === undefined ? '' : (storedBytes / 1e6).toFixed(storedBytes < 1e8 ? 1 : 0),
  ]
  return `| ${cells.join(' | ')} |`
}

function medianOf(row: Row, key: 'wallMs' | 'userMs' | 'systemMs'): number {
  return median(row.costs.map((cost) => cost[key]))
}

const wallMs = (row: Row): number => medianOf(row, 'wallMs')
const cpuMs = (row: Row): number => medianOf(row, 'userMs') + medianOf(row, 'systemMs')

/** Any other table. */
export function formatTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n')
}

const seconds = (ms: number): string => (ms / 1000).toFixed(2)
