/**
 * A map bounded by bytes that forgets what was used longest ago. The newest entry stays even when
 * it alone is over the budget: one directory has to be served however large it is.
 */
export class ByteLru<Key, Value> {
  readonly #budget: number
  readonly #entries = new Map<Key, { readonly value: Value; readonly size: number }>()
  #size = 0

  constructor(budget: number) {
    this.#budget = budget
  }

  /** Bytes held, as the callers of `set` counted them. */
  get size(): number {
    return this.#size
  }

  get(key: Key): Value | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    // A Map keeps the order of insertion, so the first key is the oldest.
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    return entry.value
  }

  /** @param key not there yet */
  set(key: Key, value: Value, size: number): void {
    this.#entries.set(key, { value, size })
    this.#size += size
    for (const [oldest, entry] of this.#entries) {
      if (this.#size <= this.#budget || this.#entries.size === 1) return
      this.#entries.delete(oldest)
      this.#size -= entry.size
    }
  }

  clear(): void {
    this.#entries.clear()
    this.#size = 0
  }
}
