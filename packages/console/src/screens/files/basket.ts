/**
 * The restore basket: what was chosen in folders and points, kept in this tab until it is
 * restored. It is too much for an address.
 */
import { useSyncExternalStore } from 'react'
import { z } from 'zod'

const STORED_AS = 'openmaas.basket'
/** Whoever wants more takes a folder; the API takes 10,000 paths in a request of 1 MiB. */
export const BASKET_COUNT_MAX = 500

const basketItem = z.object({
  pointId: z.string(),
  takenAt: z.string(),
  sourceId: z.string(),
  /** From the root of the point: `/docs/report.odt`; `/` is all of it. */
  path: z.string(),
  kind: z.enum(['file', 'directory', 'symlink', 'other']),
  sizeBytes: z.number(),
})
export type BasketItem = z.infer<typeof basketItem>
export type Basket = readonly BasketItem[]

const storedBasket = z.array(basketItem).max(BASKET_COUNT_MAX)

const isSame = (a: BasketItem, b: BasketItem): boolean =>
  a.pointId === b.pointId && a.path === b.path

/** In, or out when it was in. A full basket takes nothing more. */
export function toggled(basket: Basket, item: BasketItem): Basket {
  const others = basket.filter((one) => !isSame(one, item))
  if (others.length < basket.length) return others
  return basket.length >= BASKET_COUNT_MAX ? basket : [...basket, item]
}

export function isInBasket(basket: Basket, pointId: string, path: string): boolean {
  return basket.some((item) => item.pointId === pointId && item.path === path)
}

/** One restore for each point. */
export function byPoint(basket: Basket): BasketItem[][] {
  return [...Map.groupBy(basket, ({ pointId }) => pointId).values()]
}

let current: Basket | undefined
const listeners = new Set<() => void>()

function read(): Basket {
  current ??= stored()
  return current
}

/** What is wrong in there is an empty basket. */
function stored(): Basket {
  try {
    const text = sessionStorage.getItem(STORED_AS)
    const parsed = storedBasket.safeParse(JSON.parse(text ?? '[]'))
    return parsed.success ? parsed.data : []
  } catch {
    return []
  }
}

export function setBasket(basket: Basket): void {
  current = basket
  sessionStorage.setItem(STORED_AS, JSON.stringify(basket))
  for (const listener of listeners) listener()
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

export function useBasket(): Basket {
  return useSyncExternalStore(subscribe, read)
}
