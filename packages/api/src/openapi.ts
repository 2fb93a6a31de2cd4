/**
 * The OpenAPI 3.1 document, made of ROUTES. Schemas with an id become components; the rest stands
 * where it is used. Requests show what may be sent (before defaults), answers what comes back.
 */
import { z } from 'zod'
import { labels, problem } from './resources/common.ts'
import { accepted, job, jobDetail } from './resources/job.ts'
import { type Answer, type Route, waitText } from './routes/define-route.ts'
import { isSchema, routeNames, routeOf } from './routes/routes.ts'
import type { RouteName } from './routes/routes.ts'

type Json = Record<string, unknown>

const COMPONENTS = '#/components/schemas/'
/** Statuses that any route may answer with, besides those it names. */
const PROBLEMS = [
  { status: 401, text: 'Who asks is not known', unless: (route: Route) => isPublic(route) },
  { status: 403, text: 'Not allowed to who asks', unless: (route: Route) => isPublic(route) },
  { status: 404, text: 'Not there, or not to be seen', unless: (route: Route) => !hasId(route) },
  { status: 422, text: 'Something in the request is wrong', unless: () => false },
  { status: 429, text: 'Too fast', unless: () => false },
]

const isPublic = (route: Route): boolean => route.permission === 'public'
const hasId = (route: Route): boolean => route.params !== undefined

export interface OpenApiOptions {
  readonly version: string
  /** Only these routes. */
  readonly names?: readonly RouteName[]
}

export function makeOpenApi(options: OpenApiOptions): Json {
  const components: Json = {}
  const names = options.names ?? routeNames
  const paths: Record<string, Json> = {}
  for (const name of names) {
    const route = routeOf(name)
    const path = (paths[route.path] ??= {})
    path[route.method.toLowerCase()] = operation(name, route, components)
  }
  for (const schema of [problem, labels, accepted, job, jobDetail]) outputSchema(schema, components)
  return {
    openapi: '3.1.0',
    jsonSchemaDialect: 'https://json-schema.org/draft/2020-12/schema',
    info: {
      title: 'OpenMaaS',
      version: options.version,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      description:
        'Medium as a Service: what a person does in the console and the CLI, both do through ' +
        'this API. Within v1 things are only added.',
    },
    servers: [{ url: '/' }],
    security: [{ token: [] }, { session: [], csrf: [] }],
    tags: [...new Set(names.map((name) => routeOf(name).tag))].map((name) => ({ name })),
    paths,
    components: { schemas: components, securitySchemes: SECURITY },
  }
}

const SECURITY = {
  token: { type: 'http', scheme: 'bearer', description: 'API token `msk_…`' },
  session: { type: 'apiKey', in: 'cookie', name: '__Host-openmaas' },
  csrf: { type: 'apiKey', in: 'header', name: 'X-CSRF-Token' },
}

function operation(name: RouteName, route: Route, components: Json): Json {
  const { summary, tag, permission } = route
  return {
    operationId: name,
    tags: [tag],
    summary: summary.en,
    'x-summary-zh': summary.zh,
    'x-openmaas-permission': permission,
    ...(route.dangerous === true && { 'x-openmaas-dangerous': true }),
    ...(route.deprecated !== undefined && { deprecated: true }),
    ...(isPublic(route) && { security: [] }),
    parameters: [
      ...fieldsOf(route.params, 'path'),
      ...fieldsOf(route.query, 'query'),
      ...extraParameters(route),
    ],
    ...(route.body !== undefined && {
      requestBody: {
        required: !route.body.safeParse({}).success,
        content: { 'application/json': { schema: inputSchema(route.body) } },
      },
    }),
    responses: responsesOf(route, components),
  }
}

/** What the server itself understands, on top of the schemas. */
function extraParameters(route: Route): Json[] {
  const parameters: Json[] = []
  const add = (place: string, name: string, schema: Json, description: string, required = false) =>
    parameters.push({ name, in: place, required, schema, description })
  if (route.dryRun === true) {
    const schema = { type: 'boolean', default: false }
    add('query', 'dryRun', schema, 'Answer with the plan and change nothing.')
  }
  if (route.wait === true) {
    add('query', 'wait', inputSchema(waitText), 'Hold the answer until the job has ended.')
  }
  if (route.precondition === true) {
    add('header', 'If-Match', { type: 'string' }, 'The ETag of what was read, or *.', true)
  }
  if (route.method === 'POST' && !isPublic(route)) {
    const schema = { type: 'string', minLength: 1, maxLength: 255 }
    add('header', 'Idempotency-Key', schema, 'The same key and body: done once in a day.')
  }
  if (route.stream === true) {
    add('header', 'Last-Event-ID', { type: 'integer' }, 'Go on after that event.')
  }
  return parameters
}

function responsesOf(route: Route, components: Json): Json {
  const responses: Json = {}
  for (const [status, answer] of Object.entries(route.response)) {
    const content = contentOf(route, answer, components)
    responses[status] = { description: DESCRIPTIONS[status] ?? 'Done', ...content }
  }
  for (const { status, text, unless } of PROBLEMS) {
    if (unless(route)) continue
    const schema = { $ref: `${COMPONENTS}Problem` }
    responses[status] = {
      description: text,
      content: { 'application/problem+json': { schema } },
    }
  }
  return responses
}

function contentOf(route: Route, answer: Answer, components: Json): Json {
  if (answer === null) return {}
  if (!isSchema(answer)) {
    return { content: Object.fromEntries(answer.raw.map((type) => [type, { schema: TEXT }])) }
  }
  const json = { schema: outputSchema(answer, components) }
  const lines = route.list === true ? { 'application/x-ndjson': { schema: TEXT } } : {}
  return { content: { 'application/json': json, ...lines } }
}

const TEXT = { type: 'string' }

const DESCRIPTIONS: Readonly<Record<string, string>> = {
  200: 'Here it is',
  201: 'Made',
  202: 'Accepted; a job does it',
  204: 'Done',
  302: 'Go on there',
}

/** Each field of an object schema as a parameter. */
function fieldsOf(schema: z.ZodType | undefined, place: 'path' | 'query'): Json[] {
  if (schema === undefined) return []
  const object = inputSchema(schema)
  const required = new Set((object['required'] as string[] | undefined) ?? [])
  return Object.entries((object['properties'] as Record<string, Json> | undefined) ?? {}).map(
    ([name, field]) => ({
      name,
      in: place,
      required: place === 'path' || required.has(name),
      schema: field,
    }),
  )
}

function inputSchema(schema: z.ZodType): Json {
  const json = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', reused: 'inline' })
  const { $schema: _, id: __, ...rest } = json as Json
  return inlineDefinitions(rest, (rest['$defs'] as Json | undefined) ?? {}) as Json
}

/** Definitions of answers become components of the document; returns the schema or a reference. */
function outputSchema(schema: z.ZodType, components: Json): Json {
  const json = z.toJSONSchema(schema, {
    io: 'output',
    unrepresentable: 'any',
    // Within v1 answers only gain fields: who reads them must not refuse what is new.
    override: ({ jsonSchema }) => {
      if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties
    },
  }) as Json
  const { $schema: _, $defs, ...rest } = json
  for (const [id, definition] of Object.entries(($defs as Json | undefined) ?? {})) {
    components[id] ??= toComponents(definition)
  }
  const id = schema.meta()?.id
  if (id === undefined) return toComponents(rest) as Json
  components[id] ??= toComponents(rest)
  return { $ref: COMPONENTS + id }
}

/** `#/$defs/X` → `#/components/schemas/X`, and no ids inside. */
function toComponents(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((one) => toComponents(one))
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value)
    .filter(([key, field]) => !(key === 'id' && typeof field === 'string'))
    .map(([key, field]) => {
      if (key === '$ref' && typeof field === 'string') {
        return [key, field.replace('#/$defs/', COMPONENTS)]
      }
      return [key, toComponents(field)]
    })
  return Object.fromEntries(entries)
}

/** Requests show defaults as optional, answers as present: so they share no component. */
function inlineDefinitions(value: unknown, definitions: Json): unknown {
  if (Array.isArray(value)) return value.map((one) => inlineDefinitions(one, definitions))
  if (typeof value !== 'object' || value === null) return value
  const ref = (value as Json)['$ref']
  if (typeof ref === 'string') {
    const { id: _, ...definition } = definitions[ref.replace('#/$defs/', '')] as Json
    return inlineDefinitions(definition, definitions)
  }
  const entries = Object.entries(value)
    .filter(([key]) => key !== '$defs')
    .map(([key, field]) => [key, inlineDefinitions(field, definitions)])
  return Object.fromEntries(entries)
}
