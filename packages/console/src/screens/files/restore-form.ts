/** What a restore asks for, and what it sends: one request for each point. */
import type { BodyFor } from '@openmaas/api/routes/routes'
import type { BasketItem } from './basket.ts'
import { belowRoot } from './paths.ts'

export const CONFLICTS = ['rename', 'skip', 'overwrite', 'fail'] as const
export type Conflict = (typeof CONFLICTS)[number]

export interface RestoreForm {
  readonly hostId: string | null
  readonly isInPlace: boolean
  /** Where, when it is not the original place. */
  readonly to: string
  readonly conflict: Conflict
}

/** Where the data came from. */
export interface Origin {
  readonly hostId: string
  readonly path: string
}

/** @returns null while it is no place */
export function targetOf(form: RestoreForm, origin: Origin | undefined): string | null {
  if (form.isInPlace) return origin?.path ?? null
  return form.to.startsWith('/') ? form.to : null
}

/** @param items of one point; `/` is all of it */
export function toRestoreBody(
  items: readonly BasketItem[],
  place: { readonly hostId: string; readonly to: string; readonly conflict: Conflict },
): BodyFor<'restorePoint'> {
  const paths = items.map(({ path }) => belowRoot(path))
  return { ...place, paths: paths.includes('') ? [] : paths }
}

/** `openmaas point restore …`: the same by CLI. */
export function restoreCli(
  items: readonly BasketItem[],
  place: { readonly host: string; readonly to: string; readonly conflict: Conflict },
): string {
  const paths = items.map(({ path }) => belowRoot(path)).filter((path) => path !== '')
  const named = paths.length === items.length ? paths.map((path) => ` '${path}'`).join('') : ''
  const { host, to, conflict } = place
  return `openmaas point restore ${items[0]!.pointId}${named} --host ${host} --to '${to}' --conflict ${conflict}`
}
