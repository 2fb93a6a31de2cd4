/**
 * The API for people, at /api/docs: written by the server out of the OpenAPI document and the
 * error table, without a script, a font or a style sheet from anywhere.
 */
import { ERRORS, ERROR_CATEGORIES } from '@openmaas/kernel/errors'
import { statusOf } from '@openmaas/api/problem'
import type { ErrorCode } from '@openmaas/kernel/errors'

type Json = Readonly<Record<string, unknown>>

interface Parameter {
  readonly name: string
  readonly in: string
  readonly required: boolean
  readonly description?: string
  readonly schema: unknown
}

interface Operation {
  readonly operationId: string
  readonly tags: readonly string[]
  readonly summary: string
  readonly 'x-summary-zh': string
  readonly 'x-openmaas-permission': string
  readonly 'x-openmaas-dangerous'?: boolean
  readonly deprecated?: boolean
  readonly parameters: readonly Parameter[]
  readonly requestBody?: { readonly content: Readonly<Record<string, { schema?: unknown }>> }
  readonly responses: Readonly<Record<string, { description: string; content?: Json }>>
}

const STYLE = `
:root{color-scheme:light dark;font:15px/1.5 system-ui,sans-serif}
body{margin:0 auto;max-width:64rem;padding:1rem}
nav{columns:4 10rem;margin:1rem 0}nav a{display:block}
details{border:1px solid #8884;border-radius:6px;margin:.4rem 0;padding:.3rem .7rem}
summary{cursor:pointer;display:flex;flex-wrap:wrap;gap:.6rem;align-items:baseline}
code,pre{font:13px/1.4 ui-monospace,monospace}pre{overflow:auto;background:#8881;padding:.6rem}
table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #8884;padding:.25rem .5rem;
text-align:left;vertical-align:top}
.m{font-weight:700;min-width:4.2rem}.p{opacity:.75}.w{color:#b00;font-weight:600}`

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}

function page(title: string, body: string): string {
  const head = `<meta charset="utf-8"><meta name="viewport" content="width=device-width">`
  const text = `<title>${escapeHtml(title)}</title><style>${STYLE}</style>`
  return `<!doctype html><html lang="en"><head>${head}${text}</head><body>${body}</body></html>`
}

export function makeApiPage(document: Json): string {
  const { paths, info, components } = document as {
    paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
    info: { version: string; description: string }
    components: { schemas: Json }
  }
  const groups = Map.groupBy(
    Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
    ),
    ({ operation }) => operation.tags[0] ?? '',
  )
  const sections = [...groups].map(([tag, rows]) => {
    const operations = rows.map((row) => showOperation(row.method, row.path, row.operation))
    return `<h2 id="${escapeHtml(tag)}">${escapeHtml(tag)}</h2>${operations.join('')}`
  })
  const links = [...groups.keys()].map((tag) => `<a href="#${tag}">${escapeHtml(tag)}</a>`)
  const schemas = Object.entries(components.schemas).map(
    ([name, schema]) =>
      `<details id="schema-${name}"><summary>${name}</summary>${showSchema(schema)}</details>`,
  )
  const other =
    '<a href="#schemas">schemas</a><a href="/api/openapi.json">openapi.json</a>' +
    '<a href="/api/docs/errors">errors</a>'
  return page(
    'OpenMaaS API',
    `<h1>OpenMaaS API <small>${escapeHtml(info.version)}</small></h1>` +
      `<p>${escapeHtml(info.description)}</p><nav>${links.join('')}${other}</nav>` +
      `${sections.join('')}<h2 id="schemas">schemas</h2>${schemas.join('')}`,
  )
}

function showOperation(method: string, path: string, operation: Operation): string {
  const permission = operation['x-openmaas-permission']
  const marks = [
    ...(operation['x-openmaas-dangerous'] === true ? ['dangerous'] : []),
    ...(operation.deprecated === true ? ['deprecated'] : []),
  ]
  const head =
    `<span class="m">${method.toUpperCase()}</span><code>${escapeHtml(path)}</code>` +
    `<span>${escapeHtml(operation.summary)} · ${escapeHtml(operation['x-summary-zh'])}</span>` +
    `<span class="p">${escapeHtml(permission)}</span>` +
    marks.map((mark) => `<span class="w">${mark}</span>`).join('')
  const rows = operation.parameters.map((parameter) => {
    const required = parameter.required ? 'required' : ''
    const schema = escapeHtml(JSON.stringify(parameter.schema))
    const name = escapeHtml(parameter.name)
    const text = escapeHtml(parameter.description ?? '')
    return (
      `<tr><td><code>${name}</code></td><td>${parameter.in} ${required}</td>` +
      `<td><code>${schema}</code> ${text}</td></tr>`
    )
  })
  const parameters = rows.length === 0 ? '' : `<table>${rows.join('')}</table>`
  const body = operation.requestBody?.content['application/json']?.schema
  const bodyText = body === undefined ? '' : `<h4>Body</h4>${showSchema(body)}`
  const answers = Object.entries(operation.responses).map(([status, response]) => {
    const types = Object.entries(response.content ?? {}).map(([type, content]) => {
      const { schema } = content as { schema?: unknown }
      return `<code>${escapeHtml(type)}</code> ${schema === undefined ? '' : showSchema(schema)}`
    })
    const isProblem = Number(status) >= 400
    return (
      `<tr><td>${status}</td><td>${escapeHtml(response.description)}</td>` +
      `<td>${isProblem ? '<a href="#schema-Problem">Problem</a>' : types.join('')}</td></tr>`
    )
  })
  return (
    `<details id="${operation.operationId}"><summary>${head}</summary>` +
    `<p><code>${operation.operationId}</code></p>${parameters}${bodyText}` +
    `<h4>Answers</h4><table>${answers.join('')}</table></details>`
  )
}

/** JSON, with references as links. */
function showSchema(schema: unknown): string {
  const text = escapeHtml(JSON.stringify(schema, null, 1))
  const linked = text.replaceAll(
    /&quot;#\/components\/schemas\/(\w+)&quot;/g,
    '<a href="#schema-$1">$1</a>',
  )
  return `<pre>${linked}</pre>`
}

export function makeErrorPage(): string {
  const rows = (Object.keys(ERRORS) as ErrorCode[]).map((code) => {
    const row = ERRORS[code]
    const { exit } = ERROR_CATEGORIES[row.category]
    return (
      `<tr id="${code}"><td><code>${code}</code></td><td>${statusOf(code)}</td><td>${exit}</td>` +
      `<td>${row.category}</td><td>${escapeHtml(row.en)}<br>${escapeHtml(row.zh)}</td></tr>`
    )
  })
  const head = '<tr><th>code</th><th>HTTP</th><th>exit</th><th>category</th><th>hint</th></tr>'
  return page('OpenMaaS errors', `<h1>Errors</h1><table>${head}${rows.join('')}</table>`)
}
