/**
 * Contexts: the servers that this user has logged in to, in ~/.config/openmaas/config.yaml.
 *
 *   context: prod
 *   contexts:
 *     prod:
 *       server: https://backup.example.com:8730
 *       token: msk_…
 *       ca: |                 the server's own CA, found by its fingerprint at login
 *         -----BEGIN CERTIFICATE----- …
 *
 * The rest of the file, and its comments, stay as they are.
 */
import {
  closeSync,
  fchmodSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs'
import path from 'node:path'
import { parseDocument } from 'yaml'
import type { Document } from 'yaml'
import { z } from 'zod'
import { toMaasError } from '@openmaas/kernel/error-message'
import { MaasError } from '@openmaas/kernel/errors'
import { personalFile } from '../program/settings.ts'
import type { Site } from '../program/site.ts'

const contextName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/)
const contextFields = z.object({
  server: z.url({ protocol: /^https?$/ }),
  token: z.string().startsWith('msk_'),
  /** PEM. Absent: the certificates that the system trusts. */
  ca: z.string().optional(),
})
export type ContextFields = z.infer<typeof contextFields>
const contextsField = z.record(contextName, contextFields)

export interface Context extends ContextFields {
  readonly name: string
}

/** Only its owner reads it: it holds tokens. */
const FILE_MODE = 0o600
const DIRECTORY_MODE = 0o700

export class ContextFile {
  readonly #path: string
  readonly #document: Document

  private constructor(file: string, document: Document) {
    this.#path = file
    this.#document = document
  }

  /** @throws MaasError CONFIG_INVALID */
  static read({ env }: Pick<Site, 'env'>): ContextFile {
    const file = personalFile(env)
    if (file === undefined) {
      throw new MaasError('CONFIG_INVALID', 'there is no home directory to keep contexts in')
    }
    const document = parseDocument(readIfPresent(file))
    const [problem] = document.errors
    if (problem !== undefined) {
      throw new MaasError('CONFIG_INVALID', `${file}: ${problem.message}`, { path: file })
    }
    return new ContextFile(file, document)
  }

  /** By name. @throws MaasError CONFIG_INVALID */
  list(): Context[] {
    const value: unknown = this.#document.toJS()?.contexts ?? {}
    const contexts = contextsField.safeParse(value)
    if (!contexts.success) {
      const place = contexts.error.issues[0]?.path.join('.') ?? ''
      const message = `${this.#path}: contexts.${place} is not as "openmaas login" writes it`
      throw new MaasError('CONFIG_INVALID', message, { path: this.#path })
    }
    return Object.entries(contexts.data)
      .map(([name, fields]) => ({ name, ...fields }))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
  }

  /** @throws MaasError CONTEXT_NOT_FOUND */
  find(name: string): Context {
    const found = this.list().find((context) => context.name === name)
    if (found !== undefined) return found
    throw new MaasError('CONTEXT_NOT_FOUND', `there is no context "${name}"`, { context: name })
  }

  put({ name, ...fields }: Context): void {
    if (!contextName.safeParse(name).success) {
      const message = `"${name}" is no name for a context: letters, digits, dots and dashes`
      throw new MaasError('USAGE', message, { option: 'name' })
    }
    this.#document.setIn(['contexts', name], this.#document.createNode(contextFields.parse(fields)))
  }

  remove(name: string): void {
    this.#document.deleteIn(['contexts', name])
    if (this.#document.get('context') === name) this.#document.delete('context')
  }

  use(name: string): void {
    this.#document.set('context', name)
  }

  /** The old file or the new one, never half of it. @throws MaasError FS_… */
  save(): void {
    const temporary = `${this.#path}.new`
    try {
      mkdirSync(path.dirname(this.#path), { recursive: true, mode: DIRECTORY_MODE })
      const file = openSync(temporary, 'w', FILE_MODE)
      try {
        // One that a crash left behind keeps the mode that it had.
        fchmodSync(file, FILE_MODE)
        writeSync(file, this.#document.toString())
        fsyncSync(file)
      } finally {
        closeSync(file)
      }
      renameSync(temporary, this.#path)
    } catch (error) {
      throw toMaasError(error)
    }
  }
}

function readIfPresent(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw toMaasError(error)
  }
}

function readToken(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch (error) {
    throw toMaasError(error)
  }
}

export interface Target extends ContextFields {
  /** To be pinned at each connection, where no context has learnt the CA. */
  readonly fingerprint?: string
}

/**
 * The server to speak to: the context named, else OPENMAAS_SERVER, else the current context.
 *
 * @throws MaasError CONTEXT_MISSING, CONTEXT_NOT_FOUND, CONFIG_INVALID
 */
export function chooseTarget(site: Site, named: string | undefined): Target {
  const { settings } = site
  const server = settings.get('server')
  if (named === undefined && server !== undefined) {
    const file = settings.get('token_file')
    if (file === undefined) {
      throw new MaasError('CONTEXT_MISSING', 'OPENMAAS_SERVER needs OPENMAAS_TOKEN_FILE too')
    }
    const fingerprint = settings.get('fingerprint')
    const token = readToken(path.resolve(site.directory, file))
    return { server, token, ...(fingerprint !== undefined && { fingerprint }) }
  }
  const name = named ?? settings.get('context')
  if (name === undefined) throw new MaasError('CONTEXT_MISSING', 'no server is chosen')
  return ContextFile.read(site).find(name)
}

/** True when a command without a pool can go to a server. */
export function hasServer({ settings }: Site): boolean {
  return settings.get('context') !== undefined || settings.get('server') !== undefined
}
