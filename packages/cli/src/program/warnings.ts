/** What a run could not do, by name, on stderr; --quiet does not silence it. */
import { printable } from '../format/width.ts'
import type { Site } from './site.ts'

/** More are counted, and shown with --verbose. */
const WARNINGS_SHOWN_MAX = 100

export function showWarnings(
  warnings: readonly { readonly path: string; readonly message: string }[],
  count: number,
  { out, text }: Site,
  isVerbose: boolean,
): void {
  const shown = isVerbose ? warnings : warnings.slice(0, WARNINGS_SHOWN_MAX)
  const label = out.paint('yellow', text('warning.label'))
  for (const { path, message } of shown) out.error(`${label} ${printable(path)}: ${message}`)
  const hidden = count - shown.length
  if (hidden > 0) out.error(text('warning.more', { count: hidden }))
}
