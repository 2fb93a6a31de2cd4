/**
 * A directory of the simulated disk. Names become durable by `sync` only; at a power loss each
 * name that changed since survives or not by itself, whatever happened to the others. That is
 * harsher than journalling file systems are: a rename may lose both names.
 */
import type { SeededRandom } from '@openmaas/kernel/random'
import type { SimFile } from './sim-file.ts'

export type SimNode = SimFile | SimDirectory

interface Change {
  readonly name: string
  /** Undefined: the name was removed. */
  readonly node: SimNode | undefined
}

export class SimDirectory {
  readonly kind = 'directory'
  mtimeMs: number
  readonly #names = new Map<string, SimNode>()
  readonly #durable = new Map<string, SimNode>()
  #pending: Change[] = []

  constructor(mtimeMs: number) {
    this.mtimeMs = mtimeMs
  }

  get dirty(): boolean {
    return this.#pending.length > 0
  }

  get size(): number {
    return this.#names.size
  }

  get(name: string): SimNode | undefined {
    return this.#names.get(name)
  }

  names(): string[] {
    return [...this.#names.keys()]
  }

  nodes(): IterableIterator<[string, SimNode]> {
    return this.#names.entries()
  }

  /** True when the name, as it is now, survives a power loss. */
  isDurable(name: string): boolean {
    return this.#durable.get(name) === this.#names.get(name)
  }

  set(name: string, node: SimNode | undefined): void {
    if (node === undefined) this.#names.delete(name)
    else this.#names.set(name, node)
    this.#pending.push({ name, node })
  }

  sync(): void {
    for (const change of this.#pending) this.#store(change)
    this.#pending = []
  }

  losePower(random: SeededRandom): void {
    const byName = new Map<string, Change[]>()
    for (const change of this.#pending) {
      const changes = byName.get(change.name)
      if (changes === undefined) byName.set(change.name, [change])
      else changes.push(change)
    }
    for (const changes of byName.values()) {
      const kept = random.below(changes.length + 1)
      if (kept > 0) this.#store(changes[kept - 1]!)
    }
    this.#pending = []
    this.#names.clear()
    for (const [name, node] of this.#durable) this.#names.set(name, node)
  }

  #store({ name, node }: Change): void {
    if (node === undefined) this.#durable.delete(name)
    else this.#durable.set(name, node)
  }
}
