/** What a restore asks for, and what it sends: one request for each point. */
import type { BodyFor } from '@openmaas/api/routes/routes'
import type { BasketItem } from './basket.ts'
import { belowRoot, nameOf, parentOf, placedAt } from './paths.ts'

export const CONFLICTS = ['rename', 'skip', 'overwrite', 'fail'] as const
export type Conflict = (typeof CONFLICTS)[number]

export interface RestoreForm {
  readonly hostId: string | null
  readonly isInPlace: boolean
  /** Where, when it is not the original place. */
  readonly to: string
  /** Below `to` as below the source; else side by side. */
  readonly keepFolders: boolean
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

/** One request: items that lie in one folder of one point, and the folder they come into. */
export interface WantedRestore {
  readonly items: readonly BasketItem[]
  readonly place: { readonly hostId: string; readonly to: string; readonly conflict: Conflict }
}

/** What lies below a folder that is restored as well comes back with it. */
export function withoutCovered(items: readonly BasketItem[]): BasketItem[] {
  return items.filter(
    ({ pointId, path }) =>
      !items.some(
        (one) =>
          one.pointId === pointId &&
          one.path !== path &&
          path.startsWith(one.path === '/' ? '/' : `${one.path}/`),
      ),
  )
}

/** Names that two items of a point have: side by side there is room for one. */
export function hasTwins(items: readonly BasketItem[]): boolean {
  const names = items.map(({ pointId, path }) => `${pointId} ${nameOf(path)}`)
  return new Set(names).size < names.length
}

/**
 * The API puts what a path names right below the target: whoever wants the folders above it asks
 * for each of them by itself.
 *
 * @returns null while host or place are not known
 */
export function wantedRestores(
  items: readonly BasketItem[],
  form: RestoreForm,
  originOf: (sourceId: string) => Origin | undefined,
): WantedRestore[] | null {
  const { hostId, conflict } = form
  if (hostId === null) return null
  const keeps = form.isInPlace || form.keepFolders
  const groups = Map.groupBy(withoutCovered(items), ({ pointId, path }) => {
    return `${pointId} ${keeps ? parentOf(path) : ''}`
  })
  const wanted: WantedRestore[] = []
  for (const own of groups.values()) {
    const base = targetOf(form, originOf(own[0]!.sourceId))
    if (base === null) return null
    const to = keeps ? withoutSlash(placedAt(base, parentOf(own[0]!.path))) : base
    wanted.push({ items: own, place: { hostId, to, conflict } })
  }
  return wanted
}

const withoutSlash = (path: string): string => (path === '/' ? path : path.replace(/\/+$/, ''))

/** Where an item of a request comes to stand. */
export function becomes({ place }: WantedRestore, { path }: BasketItem): string {
  return path === '/' ? place.to : placedAt(place.to, nameOf(path))
}

/** `/` is all of the point. */
export function toRestoreBody({ items, place }: WantedRestore): BodyFor<'restorePoint'> {
  const paths = items.map(({ path }) => belowRoot(path))
  return { ...place, paths: paths.includes('') ? [] : paths }
}

/** `openmaas point restore …`: the same by CLI. */
export function restoreCli({ items, place }: WantedRestore, host: string): string {
  const paths = items.map(({ path }) => belowRoot(path)).filter((path) => path !== '')
  const named = paths.length === items.length ? paths.map((path) => ` '${path}'`).join('') : ''
  const options = `--host ${host} --to '${place.to}' --conflict ${place.conflict}`
  return `openmaas point restore ${items[0]!.pointId}${named} ${options}`
}
