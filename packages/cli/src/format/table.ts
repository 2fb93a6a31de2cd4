/** Rows of text in aligned columns. */
import { padEnd, padStart } from './width.ts'
import { displayWidth } from './width.ts'

export interface Column {
  readonly title: string
  readonly align?: 'left' | 'right'
}

/** Lines without a line end; columns two blanks apart, the last one not padded. */
export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
): string[] {
  const all = [columns.map((column) => column.title), ...rows]
  const widths = columns.map((_, i) => Math.max(...all.map((row) => displayWidth(row[i] ?? ''))))
  return all.map((row) =>
    columns
      .map((column, i) => {
        const cell = row[i] ?? ''
        if (column.align === 'right') return padStart(cell, widths[i]!)
        return i === columns.length - 1 ? cell : padEnd(cell, widths[i]!)
      })
      .join('  ')
      .trimEnd(),
  )
}
