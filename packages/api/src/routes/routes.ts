/** Every route of the product by its name, which is also the operation id. */
import type { z } from 'zod'
import { alertRoutes } from './alerts.ts'
import { auditRoutes } from './audit.ts'
import { databaseRoutes } from './databases.ts'
import type { Answer, Route } from './define-route.ts'
import { groupRoutes } from './groups.ts'
import { hostRoutes } from './hosts.ts'
import { jobRoutes } from './jobs.ts'
import { mediumRoutes } from './media.ts'
import { pointRoutes } from './points.ts'
import { policyRoutes } from './policies.ts'
import { poolRoutes } from './pools.ts'
import { sessionRoutes } from './session.ts'
import { sourceRoutes } from './sources.ts'
import { systemRoutes } from './system.ts'
import { userRoutes } from './users.ts'
import { virtualDatabaseRoutes } from './virtual-databases.ts'
import { webhookRoutes } from './webhooks.ts'

export const ROUTES = {
  ...sessionRoutes,
  ...userRoutes,
  ...hostRoutes,
  ...poolRoutes,
  ...sourceRoutes,
  ...policyRoutes,
  ...pointRoutes,
  ...mediumRoutes,
  ...databaseRoutes,
  ...virtualDatabaseRoutes,
  ...groupRoutes,
  ...jobRoutes,
  ...alertRoutes,
  ...webhookRoutes,
  ...auditRoutes,
  ...systemRoutes,
} as const

export type RouteName = keyof typeof ROUTES
export type RouteOf<N extends RouteName> = (typeof ROUTES)[N]

type SchemaOf<N extends RouteName, Part extends 'params' | 'query' | 'body'> =
  RouteOf<N> extends { readonly [P in Part]: infer S } ? S : undefined
type Checked<S> = S extends z.ZodType ? z.output<S> : undefined
type Given<S> = S extends z.ZodType ? z.input<S> : undefined

/** What a handler gets: checked, with defaults filled in. */
export type ParamsOf<N extends RouteName> = Checked<SchemaOf<N, 'params'>>
export type QueryOf<N extends RouteName> = Checked<SchemaOf<N, 'query'>>
export type BodyOf<N extends RouteName> = Checked<SchemaOf<N, 'body'>>
/** What a client gives. */
export type ParamsFor<N extends RouteName> = Given<SchemaOf<N, 'params'>>
export type QueryFor<N extends RouteName> = Given<SchemaOf<N, 'query'>>
export type BodyFor<N extends RouteName> = Given<SchemaOf<N, 'body'>>

type AnswerBody<A> = A extends z.ZodType ? z.input<A> : A extends null ? null : RawBody
type RawBody = string | Uint8Array | AsyncIterable<string | Uint8Array>
type AnswersOf<N extends RouteName> = RouteOf<N>['response'][keyof RouteOf<N>['response']]
/** Any of the bodies that the route answers with. */
export type ResponseOf<N extends RouteName> = AnswerBody<AnswersOf<N>>

export const routeNames = Object.keys(ROUTES) as RouteName[]

type AnswerSeen<A> = A extends z.ZodType ? z.output<A> : A extends null ? null : never
/** What a client reads; routes with a raw body are read by `ApiClient.open`. */
export type AnswerOf<N extends RouteName> = AnswerSeen<AnswersOf<N>>

/** The same route without its exact types. */
export function routeOf(name: RouteName): Route {
  return ROUTES[name]
}

export function isSchema(answer: Answer | undefined): answer is z.ZodType {
  return answer !== undefined && answer !== null && 'safeParse' in answer
}
