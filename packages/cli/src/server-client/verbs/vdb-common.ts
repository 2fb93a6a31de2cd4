/** What the verbs of virtual databases share: which one, which moment, how it is shown. */
import { findId, momentTold } from '../names.ts'
import { textOf } from '../server.ts'
import type { Row, Server } from '../server.ts'
import { showRow } from '../show.ts'

const CONNECTION_FORMATS = ['env', 'url', 'jdbc', 'odbc', 'command'] as const

export const find = (server: Server): Promise<string> =>
  findId(server, 'vdb', server.input.positionals[0]!)

export function momentOf(server: Server): Row {
  const { input } = server
  const at = input.text('at')
  const transaction = input.text('transaction')
  const position = input.text('position')
  return {
    ...(at !== undefined && { at: momentTold(at, server) }),
    ...(transaction !== undefined && { transaction }),
    ...(position !== undefined && { position }),
  }
}

/** For a POSIX shell. */
const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`

/** In the form asked for; all of it without one. */
export async function showConnection(server: Server, virtualDatabaseId: string): Promise<void> {
  const { input, site } = server
  const { body } = await server.request('revealConnection', { params: { virtualDatabaseId } })
  const format = input.choice('format', CONNECTION_FORMATS)
  if (format === undefined) showRow(body, { site, input, idField: 'url' })
  else if (format === 'env') {
    const facts = body['environment'] as Record<string, string>
    const all = { OPENMAAS_VDB: virtualDatabaseId, ...facts }
    for (const [name, value] of Object.entries(all)) {
      site.out.line(`export ${name}=${quoted(value)}`)
    }
  } else site.out.line(textOf(body[format]))
}

export async function showReady(server: Server, virtualDatabaseId: string): Promise<void> {
  const { input, site } = server
  if (input.has('format')) {
    await showConnection(server, virtualDatabaseId)
    return
  }
  const { out, text } = site
  const { body } = await server.request('getVirtualDatabase', { params: { virtualDatabaseId } })
  const [name, port] = [textOf(body['name']), textOf(body['port'])]
  if (!out.isTerminal) out.line(`${virtualDatabaseId}\t${port}`)
  else {
    out.say(text('vdb.ready', { name, port }))
    out.say(text('vdb.connect', { id: virtualDatabaseId }))
  }
}
