/**
 * Writes the pages of docs/reference/ that are made from tables in the code:
 *
 *   node tools/generate.ts      (npm run generate)
 *
 * A test beside each renderer fails when its page and its table differ.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { CLI_PAGES, renderCliPage } from '@openmaas/cli/program/reference'
import { ERROR_PAGE, renderErrorPage } from './error-reference.ts'

function write(page: string, text: string): void {
  const path = join(dirname(import.meta.dirname), page)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}

write(ERROR_PAGE, renderErrorPage())
for (const [language, page] of Object.entries(CLI_PAGES)) {
  write(page, await renderCliPage(language as keyof typeof CLI_PAGES))
}
