/** The plug-ins of this host, by the engine that an order names. */
import { assert } from '@openmaas/kernel/assert'
import { MaasError } from '@openmaas/kernel/errors'
import type { SourcePlugin } from '@openmaas/source-kit/plugin'

export class DatabasePlugins {
  readonly #plugins = new Map<string, SourcePlugin>()

  constructor(plugins: Iterable<SourcePlugin>) {
    for (const plugin of plugins) {
      assert(!this.#plugins.has(plugin.engine), `one plug-in knows the engine ${plugin.engine}`)
      this.#plugins.set(plugin.engine, plugin)
    }
  }

  get all(): readonly SourcePlugin[] {
    return [...this.#plugins.values()]
  }

  /** @throws MaasError DATABASE_ENGINE_UNKNOWN */
  of(engine: string): SourcePlugin {
    const plugin = this.#plugins.get(engine)
    if (plugin !== undefined) return plugin
    const known = [...this.#plugins.keys()]
    const message = `this host has no plug-in for ${engine}`
    throw new MaasError('DATABASE_ENGINE_UNKNOWN', message, { engine, known })
  }
}
