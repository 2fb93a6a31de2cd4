import { describe, expect, test } from 'vitest'
import { makeOpenApi } from './openapi.ts'
import { PERMISSIONS } from './permissions.ts'
import { routeNames, routeOf } from './routes/routes.ts'

interface Operation {
  readonly operationId: string
  readonly parameters: readonly { name: string; in: string; required: boolean; schema: unknown }[]
  readonly requestBody?: { readonly content: object }
  readonly responses: Readonly<Record<string, object>>
  readonly security?: readonly object[]
}

const document = makeOpenApi({ version: '1.2.3' })
const paths = document['paths'] as Record<string, Record<string, Operation>>
const operations = Object.entries(paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
)

describe('the OpenAPI document', () => {
  test('has every route once, with its permission and both summaries', () => {
    expect(operations.map(({ operation }) => operation.operationId).sort()).toEqual(
      [...routeNames].sort(),
    )
    for (const { operation } of operations) {
      expect(operation).toMatchObject({
        'x-openmaas-permission': expect.any(String),
        summary: expect.stringMatching(/./),
        'x-summary-zh': expect.stringMatching(/[\u4e00-\u9fff]/),
      })
    }
  })

  test('declares the parameters of each path, and no two of one name', () => {
    for (const { path, operation } of operations) {
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!)
      const declared = operation.parameters.filter((one) => one.in === 'path')
      expect(declared.map(({ name }) => name).sort(), path).toEqual(inPath.sort())
      const names = operation.parameters.map((one) => `${one.in}:${one.name}`)
      expect(new Set(names).size, path).toBe(names.length)
    }
  })

  test('refers to nothing that is not there', () => {
    const { schemas } = document['components'] as { schemas: Record<string, unknown> }
    const text = JSON.stringify(document)
    for (const [, ref] of text.matchAll(/"\$ref":"([^"]+)"/g)) {
      expect(ref).toMatch(/^#\/components\/schemas\//)
      expect(schemas).toHaveProperty(ref!.replace('#/components/schemas/', ''))
    }
    expect(text).not.toContain('$defs')
  })

  test('shows only routes that are served', () => {
    const small = makeOpenApi({ version: '1', names: ['getHealth'] })
    expect(Object.keys(small['paths'] as object)).toEqual(['/api/v1/health'])
  })
})

describe('the list of routes', () => {
  test('has a permission of the table for each, and a reason typed for what is dangerous', () => {
    for (const name of routeNames) {
      const { permission, dangerous, body, precondition, method } = routeOf(name)
      if (permission !== 'public' && permission !== 'self')
        expect(PERMISSIONS).toContain(permission)
      if (dangerous === true) {
        const parsed = body?.safeParse({})
        expect(parsed?.success, name).toBe(false)
      }
      if (method === 'PATCH') {
        // One's own name and address: nobody else changes them.
        expect(precondition === true || name === 'changeMe', name).toBe(true)
      }
    }
  })

  test('names every object in a path that has labels, so that scopes hold', () => {
    const nouns = ['source', 'host', 'pool', 'point', 'job', 'medium', 'alert']
    for (const name of routeNames) {
      const { path, objects } = routeOf(name)
      for (const noun of nouns) {
        if (!path.includes(`{${noun}Id}`)) continue
        const isNamed = objects?.some((one) => one.in === 'params' && one.noun === noun)
        expect(isNamed, name).toBe(true)
      }
    }
  })
})
