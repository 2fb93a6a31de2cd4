/**
 * Who may: by role first, then by the scope for every object that the request names. What lies
 * outside of a scope is answered exactly as what does not exist.
 */
import { type Permission, type Principal, matchesLabels, may } from '@openmaas/api/permissions'
import type { Labels } from '@openmaas/api/permissions'
import type { ObjectReference, Route } from '@openmaas/api/routes/define-route'
import { MaasError } from '@openmaas/kernel/errors'
import type { Catalog } from '../catalog/catalog.ts'
import type { Checked } from './check-request.ts'
import { objectNotFound, requestInvalid } from './handler.ts'
import { findObject } from './object-lookup.ts'

/** @throws MaasError AUTH_REQUIRED, PASSWORD_CHANGE_REQUIRED, PERMISSION_DENIED */
export function checkPermission(route: Route, principal: Principal | undefined): void {
  if (route.permission === 'public') return
  if (principal === undefined) throw new MaasError('AUTH_REQUIRED', 'nobody is logged in')
  if (route.permission === 'self') return
  if (principal.mustChangePassword === true) {
    throw new MaasError('PASSWORD_CHANGE_REQUIRED', 'the password must be changed first')
  }
  if (!may(principal, route.permission)) throw denied(route.permission)
}

function denied(permission: Permission): MaasError {
  return new MaasError('PERMISSION_DENIED', `this needs the permission ${permission}`, {
    permission,
  })
}

/** @throws MaasError OBJECT_NOT_FOUND, REQUEST_INVALID, PERMISSION_DENIED */
export async function checkObjects(
  catalog: Catalog,
  route: Route,
  principal: Principal,
  checked: Checked,
): Promise<void> {
  for (const reference of route.objects ?? []) {
    const fields = checked[reference.in] as Readonly<Record<string, unknown>> | undefined
    const id = fields?.[reference.field]
    if (typeof id !== 'string') continue
    const facts = await findObject(catalog.db, reference.noun, id)
    if (facts === undefined || !matchesLabels(principal.scope, facts.labels)) {
      throw hidden(reference, id)
    }
    const permission = reference.permission ?? route.permission
    if (permission === 'public' || permission === 'self') continue
    if (!may(principal, permission, facts.labels, facts.createdBy)) throw denied(permission)
  }
}

function hidden(reference: ObjectReference, id: string): MaasError {
  const { noun, field } = reference
  if (reference.in === 'params') return objectNotFound(noun, id)
  const place = reference.in === 'query' ? `/query/${field}` : `/${field}`
  return requestInvalid(place, `there is no ${noun} ${id}`)
}

/**
 * Nobody makes or moves an object to where they could not see it any more, nor into the scope
 * of others.
 *
 * @throws MaasError REQUEST_INVALID at /labels
 */
export function requireInScope(principal: Principal, labels: Labels): void {
  if (matchesLabels(principal.scope, labels)) return
  const wanted = Object.entries(principal.scope ?? {}).map(([key, value]) => {
    return `${key}=${typeof value === 'string' ? value : value.join('|')}`
  })
  throw requestInvalid('/labels', `the labels must match your scope: ${wanted.join(', ')}`)
}
