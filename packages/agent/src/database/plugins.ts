/** The plug-ins of this host, by the engine that an order names. */
import { assert } from '@openmaas/kernel/assert'
import { errorToMessage } from '@openmaas/kernel/error-message'
import { MaasError } from '@openmaas/kernel/errors'
import type { HostEngine } from '@openmaas/protocols/channel/frames'
import type { SourcePlugin } from '@openmaas/source-kit/plugin'

/** As the frame has it. */
const PROGRAMS_MAX = 64

export class DatabasePlugins implements Disposable {
  readonly #plugins = new Map<string, SourcePlugin>()
  readonly #refused: HostEngine[] = []
  readonly #owned: Disposable[] = []

  constructor(plugins: Iterable<SourcePlugin>) {
    for (const plugin of plugins) {
      assert(!this.#plugins.has(plugin.engine), `one plug-in knows the engine ${plugin.engine}`)
      this.#plugins.set(plugin.engine, plugin)
    }
  }

  /** One of this host's own; ends with this. @throws MaasError PLUGIN_REFUSED for a second one */
  add(plugin: SourcePlugin & Disposable): void {
    const { engine } = plugin
    if (this.#plugins.has(engine)) {
      const message = `another plug-in of this host knows the engine ${engine} already`
      throw new MaasError('PLUGIN_REFUSED', message, { engine })
    }
    this.#plugins.set(engine, plugin)
    this.#owned.push(plugin)
  }

  /** Shown beside the others: whoever looks for an engine sees why it is missing. */
  refuse(name: string, problem: string): void {
    this.#refused.push(engineOf({ engine: name, problem }))
  }

  get all(): readonly SourcePlugin[] {
    return [...this.#plugins.values()]
  }

  /** @throws MaasError DATABASE_ENGINE_UNKNOWN */
  of(engine: string): SourcePlugin {
    const plugin = this.#plugins.get(engine)
    if (plugin !== undefined) return plugin
    const known = [...this.#plugins.keys()]
    const message = `this host has no plug-in for ${engine}; it knows ${known.join(', ')}`
    throw new MaasError('DATABASE_ENGINE_UNKNOWN', message, { engine, known })
  }

  /** For what the host tells of itself. A plug-in that does not answer is shown with the reason. */
  async describe(): Promise<HostEngine[]> {
    const known = this.all.map(async (plugin): Promise<HostEngine> => {
      const { engine, title, version } = plugin
      const facts = { engine, title, version: version ?? '', builtIn: version === undefined }
      try {
        const programs = (await plugin.programs?.()) ?? []
        return engineOf({ ...facts, programs: programs.slice(0, PROGRAMS_MAX) })
      } catch (error) {
        return engineOf({ ...facts, problem: errorToMessage(error).message })
      }
    })
    return [...(await Promise.all(known)), ...this.#refused]
  }

  [Symbol.dispose](): void {
    for (const plugin of this.#owned) plugin[Symbol.dispose]()
  }
}

function engineOf(facts: Partial<HostEngine> & { readonly engine: string }): HostEngine {
  return { title: '', version: '', programs: [], builtIn: false, problem: '', ...facts }
}
