/**
 * Requests that a route takes, made from its schemas: for the permission matrix, and as what the
 * fuzz test breaks. Ids are those of a tenant, so that requests reach real objects.
 */
import { z } from 'zod'
import { CONTROL_PREFIXES, idPattern } from '@openmaas/api/ids'
import type { ControlKind } from '@openmaas/api/ids'
import type { Route } from '@openmaas/api/routes/define-route'
import { routeOf } from '@openmaas/api/routes/routes'
import type { RouteName } from '@openmaas/api/routes/routes'
import type { Tenant } from './site.test-support.ts'

interface JsonSchema {
  readonly type?: string
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly JsonSchema[]
  readonly oneOf?: readonly JsonSchema[]
  readonly allOf?: readonly JsonSchema[]
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly items?: JsonSchema
  readonly minItems?: number
  readonly minLength?: number
  readonly minimum?: number
  readonly pattern?: string
  readonly default?: unknown
  readonly $ref?: string
  readonly $defs?: Readonly<Record<string, JsonSchema>>
}

/** Texts for every pattern of ours; the first that fits is taken. */
const TEXTS = [
  'red',
  'red-name-that-is-long-enough',
  '/srv/data',
  '2026-11-22T14:03:07Z',
  '2026-11-22',
  '15m',
  '22:00',
  'single',
  'tenant=red',
  'ops@example.org',
  'https://example.org/x',
  'jobs',
  'mon',
  '42',
  'policies',
  'info',
  'queued',
  'plugged',
  '0 2 * * *',
]

/** What JSON Schema cannot say. */
const EXTRA: Partial<Record<RouteName, (tenant: Tenant) => object>> = {
  plugMedium: ({ point }) => ({ pointId: point }),
  createVirtualDatabase: ({ point }) => ({ pointId: point }),
  recoverProduction: ({ point }) => ({ pointId: point }),
  promoteVirtualDatabase: () => ({ directory: '/srv/data' }),
  createSource: () => ({ path: '/srv/data' }),
  findInPoints: ({ source }) => ({ sourceId: source }),
  // Two of them, and not one twice.
  createGroup: ({ source }) => ({
    sourceIds: [source, source.replace(/.$/, (last) => (last === 'Z' ? 'Y' : 'Z'))],
  }),
  createPolicy: () => ({ spec: { rpo: '15m' } }),
  previewPolicy: () => ({ spec: { rpo: '15m' } }),
  simulatePolicy: () => ({ spec: { rpo: '15m' } }),
  createWebhook: () => ({ url: 'https://example.org/hook' }),
}

const DOCUMENT = {
  apiVersion: 'openmaas/v1',
  kind: 'Policy',
  metadata: { name: 'gold' },
  spec: { promise: { rpo: '15m' } },
}

export interface SampleRequest {
  readonly name: RouteName
  readonly route: Route
  readonly url: string
  readonly body: Record<string, unknown> | undefined
}

/** @param full with the optional fields too, chosen by the coin */
export function sampleRequest(
  name: RouteName,
  tenant: Tenant,
  full: () => boolean = () => false,
): SampleRequest {
  const route = routeOf(name)
  const make = (schema: z.ZodType | undefined): Record<string, unknown> => {
    if (schema === undefined) return {}
    const json = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema
    return new Sampler(json, tenant, full).sample(json) as Record<string, unknown>
  }
  const params = make(route.params)
  const path = route.path.replace(/\{(\w+)\}/g, (_, field: string) => String(params[field]))
  const extra = EXTRA[name]?.(tenant) ?? {}
  const query = { ...make(route.query), ...(route.body === undefined && extra) }
  const search = new URLSearchParams(
    Object.entries(query).map(([key, value]): [string, string] => [key, String(value)]),
  ).toString()
  const given = route.body === undefined ? undefined : { ...make(route.body), ...extra }
  const body = name === 'applyDocuments' ? { documents: [DOCUMENT] } : given
  return { name, route, url: search === '' ? path : `${path}?${search}`, body }
}

/** Making one costs more than sending it. */
export function sampleOnce(tenant: Tenant) {
  const samples = new Map<string, SampleRequest>()
  return (name: RouteName, full: boolean): SampleRequest => {
    const key = `${name}:${full}`
    const known = samples.get(key) ?? sampleRequest(name, tenant, () => full)
    samples.set(key, known)
    return known
  }
}

class Sampler {
  readonly #root: JsonSchema
  readonly #tenant: Tenant
  readonly #full: () => boolean

  constructor(root: JsonSchema, tenant: Tenant, full: () => boolean) {
    this.#root = root
    this.#tenant = tenant
    this.#full = full
  }

  sample(schema: JsonSchema): unknown {
    if (schema.$ref !== undefined) {
      return this.sample(this.#root.$defs![schema.$ref.replace('#/$defs/', '')]!)
    }
    if (schema.const !== undefined) return schema.const
    if (schema.enum !== undefined) return schema.enum[0]
    const choice = schema.anyOf ?? schema.oneOf
    if (choice !== undefined) return this.sample(choice[0]!)
    if (schema.type === 'object') return this.#object(schema)
    if (schema.type === 'array') {
      return Array.from({ length: schema.minItems ?? 0 }, () => this.sample(schema.items!))
    }
    if (schema.type === 'boolean') return true
    if (schema.type === 'null') return null
    if (schema.type === 'integer' || schema.type === 'number')
      return Math.max(schema.minimum ?? 1, 1)
    if (schema.type === 'string') return this.#text(schema)
    return 1
  }

  #object(schema: JsonSchema): Record<string, unknown> {
    const fields = Object.entries(schema.properties ?? {}).filter(
      ([name]) => schema.required?.includes(name) === true || this.#full(),
    )
    return Object.fromEntries(fields.map(([name, field]) => [name, this.sample(field)]))
  }

  #text(schema: JsonSchema): string {
    const all = [schema, ...(schema.allOf ?? [])]
    const patterns = all.flatMap(({ pattern }) => (pattern === undefined ? [] : [pattern]))
    for (const [kind, prefix] of [...Object.entries(CONTROL_PREFIXES), ['pool', 'pol']] as const) {
      const { source } = idPattern(kind as ControlKind | 'pool')
      const one = source.slice(1, -1)
      // One id, or some with commas between them.
      const lists = [source, `^${one}(?:,${one})*$`]
      if (patterns.some((pattern) => lists.includes(pattern))) return this.#id(kind, prefix)
    }
    // Words with commas between them: the first word alone is one.
    const lists = patterns.flatMap((pattern) => /^\^\(\?:([a-z_-]+)\|/.exec(pattern)?.[1] ?? [])
    const found = [...TEXTS, ...lists].find(
      (text) =>
        text.length >= (schema.minLength ?? 0) &&
        patterns.every((pattern) => new RegExp(pattern).test(text)),
    )
    if (found === undefined) throw new Error(`no text for ${patterns.join(' and ')}`)
    return found
  }

  #id(kind: string, prefix: string): string {
    const known = (this.#tenant as unknown as Record<string, string | undefined>)[kind]
    return known ?? `${prefix}_${this.#tenant.source.slice(4)}`
  }
}
