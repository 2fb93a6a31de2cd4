/** RFC 4180. A spreadsheet takes what begins with these for a formula: OWASP, CSV injection. */
const FORMULA = /^[=+\-@\t\r]/

export function toCsv(rows: readonly (readonly (string | number | null)[])[]): string {
  return rows.map((row) => row.map(toField).join(',')).join('\r\n') + '\r\n'
}

function toField(value: string | number | null): string {
  if (value === null) return ''
  if (typeof value === 'number') return String(value)
  const safe = FORMULA.test(value) ? `'${value}` : value
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

/** With a mark of UTF-8: without it spreadsheets garble Chinese. */
export function downloadCsv(name: string, text: string): void {
  downloadText(`${name}.csv`, `\ufeff${text}`, 'text/csv')
}

/** @param type  `text/plain`; the browser saves it under that name */
export function downloadText(name: string, text: string, type: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  URL.revokeObjectURL(url)
}
