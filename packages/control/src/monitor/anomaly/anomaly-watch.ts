/**
 * Which sources behave unlike themselves today or did yesterday. A source is judged again when it
 * has captured something, and all of them when the day changes.
 */
import { setImmediate } from 'node:timers/promises'
import type { Catalog } from '../../catalog/catalog.ts'
import { DAY_MS } from '../../policy/zone.ts'
import { judgeDay } from './anomaly.ts'
import type { SourceAnomaly, SourceDay } from './anomaly.ts'
import { dayOf, listActive, loadSourceDays } from './source-days.ts'

/** Sources of one query: some ten thousand rows. */
const BATCH = 100

export class AnomalyWatch {
  readonly #catalog: Catalog
  readonly #found = new Map<string, readonly SourceAnomaly[]>()
  readonly #changed = new Set<string>()
  #day: number | undefined

  constructor(catalog: Catalog) {
    this.#catalog = catalog
  }

  /** It has a new point. */
  note(sourceId: string): void {
    this.#changed.add(sourceId)
  }

  async look(now: number): Promise<ReadonlyMap<string, readonly SourceAnomaly[]>> {
    const { db } = this.#catalog
    const day = dayOf(now)
    if (day !== this.#day) {
      for (const id of await listActive(db, day - DAY_MS)) this.#changed.add(id)
      // What was found for days that are over ends with them.
      this.#found.clear()
      this.#day = day
    }
    const ids = [...this.#changed]
    for (let from = 0; from < ids.length; from += BATCH) {
      const batch = ids.slice(from, from + BATCH)
      // What comes in while it is loaded is looked at again.
      for (const id of batch) this.#changed.delete(id)
      const loaded = await this.#load(batch, now)
      for (const id of batch) this.#save(id, judgeLast(loaded.get(id) ?? [], day))
      await setImmediate() // Requests have their turn in between.
    }
    return this.#found
  }

  async #load(batch: readonly string[], now: number): Promise<Map<string, SourceDay[]>> {
    try {
      return await loadSourceDays(this.#catalog.db, batch, now)
    } catch (error) {
      for (const id of batch) this.#changed.add(id)
      throw error
    }
  }

  #save(id: string, anomalies: readonly SourceAnomaly[]): void {
    if (anomalies.length === 0) this.#found.delete(id)
    else this.#found.set(id, anomalies)
  }
}

/** Today's, and yesterday's where today shows none of that kind: an alert lasts a day at least. */
function judgeLast(days: readonly SourceDay[], today: number): SourceAnomaly[] {
  const found = new Map<string, SourceAnomaly>()
  for (const day of [today - DAY_MS, today]) {
    const end = days.findIndex((one) => one.day === day)
    if (end === -1) continue
    for (const one of judgeDay(days.slice(0, end + 1))) found.set(one.signal, one)
  }
  return [...found.values()]
}
