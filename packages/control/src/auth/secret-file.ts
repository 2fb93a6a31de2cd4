/** Files that hold a key: made once, readable by their owner only, durable before they are used. */
import {
  closeSync,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import process from 'node:process'
import { MaasError } from '@openmaas/kernel/errors'

const OTHERS = 0o077

/**
 * Reads the file, or makes it. Two that start at once end with the same content.
 *
 * @throws MaasError SERVER_KEY_INVALID: others may read it, or it cannot be read
 */
export function loadOrMakeSecretFile(path: string, make: () => string): string {
  try {
    return read(path) ?? create(path, make())
  } catch (cause) {
    if (cause instanceof MaasError) throw cause
    throw new MaasError('SERVER_KEY_INVALID', 'cannot read or make a key file', { path }, { cause })
  }
}

/**
 * A credential of systemd (LoadCredential=): made by somebody else, and guarded by the service
 * manager, whose access lists look like a readable group.
 *
 * @throws MaasError SERVER_KEY_INVALID
 */
export function readCredentialFile(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new MaasError('SERVER_KEY_INVALID', 'cannot read a credential', { path }, { cause })
  }
}

function read(path: string): string | undefined {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
  try {
    if ((fstatSync(file).mode & OTHERS) !== 0) {
      const message = 'others than its owner may read a key file: chmod 600'
      throw new MaasError('SERVER_KEY_INVALID', message, { path })
    }
    return readFileSync(file, 'utf8')
  } finally {
    closeSync(file)
  }
}

/** Written beside, then given its name: nobody sees half of it, and the first one wins. */
function create(path: string, text: string): string {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const draft = `${path}.${process.pid}.new`
  rmSync(draft, { force: true })
  const file = openSync(draft, 'wx', 0o600)
  try {
    writeSync(file, text)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  try {
    linkSync(draft, path)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  } finally {
    rmSync(draft)
  }
  const folder = openSync(dirname(path), 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
  return readFileSync(path, 'utf8')
}
