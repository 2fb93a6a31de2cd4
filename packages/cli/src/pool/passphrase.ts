/**
 * The passphrase: from a file, else asked for at the terminal. Never from the command line or the
 * value of a variable, where other users of the machine can read it.
 */
import { closeSync, openSync, readSync } from 'node:fs'
import path from 'node:path'
import { MaasError } from '@openmaas/kernel/errors'
import type { Site } from '../program/site.ts'
import { ask, canAsk } from '../program/terminal.ts'

/** Longer than any passphrase; a wrong file is noticed. */
const PASSPHRASE_SIZE_MAX = 4096

/** The passphrase of an existing pool. @throws MaasError POOL_PASSPHRASE_MISSING, CONFIG_INVALID */
export async function readPassphrase(site: Site): Promise<string> {
  const file = site.settings.get('passphrase_file')
  if (file !== undefined) return readPassphraseFile(path.resolve(site.directory, file))
  requireTerminal()
  return ask(site, `${site.text('passphrase.ask')} `, { secret: true })
}

/** A new passphrase: a file says it once, a person twice. */
export async function readNewPassphrase(site: Site, file: string | undefined): Promise<string> {
  if (file !== undefined) return readPassphraseFile(path.resolve(site.directory, file))
  requireTerminal()
  for (;;) {
    const first = await ask(site, `${site.text('passphrase.new')} `, { secret: true })
    if (first === '') {
      site.out.error(site.text('passphrase.empty'))
      continue
    }
    const second = await ask(site, `${site.text('passphrase.again')} `, { secret: true })
    if (first === second) return first
    site.out.error(site.text('passphrase.differ'))
  }
}

function requireTerminal(): void {
  if (!canAsk()) {
    throw new MaasError('POOL_PASSPHRASE_MISSING', 'no passphrase, and no terminal to ask at')
  }
}

/** The file's text without the line end that editors add. @throws MaasError CONFIG_INVALID */
export function readPassphraseFile(file: string): string {
  const refuse = (reason: string, cause?: unknown): MaasError =>
    new MaasError('CONFIG_INVALID', `passphrase file ${file}: ${reason}`, { path: file }, { cause })
  const bytes = Buffer.alloc(PASSPHRASE_SIZE_MAX + 1)
  let length = 0
  let fd: number | undefined
  try {
    fd = openSync(file, 'r') // Also a pipe, as the shell's <(…) makes it.
    for (let count = -1; count !== 0 && length < bytes.length; length += count) {
      count = readSync(fd, bytes, length, bytes.length - length, null)
    }
  } catch (error) {
    throw refuse((error as NodeJS.ErrnoException).code ?? String(error), error)
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
  if (length > PASSPHRASE_SIZE_MAX) throw refuse(`longer than ${PASSPHRASE_SIZE_MAX} bytes`)
  const text = bytes.toString('utf8', 0, length).replace(/\r?\n$/, '')
  if (text === '') throw refuse('it is empty')
  return text
}
