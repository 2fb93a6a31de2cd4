/**
 * What an agent does about `database.*`: the plug-in of the engine does the work, on directories
 * that this host's own settings allow, one order after the other for each database.
 */
import { errorToMessage } from '@openmaas/kernel/error-message'
import { makeLog } from '@openmaas/kernel/log'
import type { DatabaseVerb } from '@openmaas/protocols/channel/database-orders'
import type { CheckedParams, OrderHandlers } from '@openmaas/protocols/channel/orders'
import { runProgram } from '@openmaas/source-kit/run-program'
import type { PluginContext, SourcePlugin } from '@openmaas/source-kit/plugin'
import { type AgentSettings, checkPath, requireSetting } from '../session/settings.ts'
import type { DatabasePlugins } from './plugins.ts'
import { Turns } from './turns.ts'

const log = makeLog('openmaas:agent:database')

type OrderContext = Parameters<NonNullable<OrderHandlers['database.seed']>>[1]
/** Orders about one place on this host. */
type PlaceVerb = Exclude<DatabaseVerb, 'database.discover' | 'database.check'>

export interface DatabaseHandlerOptions {
  readonly plugins: DatabasePlugins
  readonly settings: AgentSettings
}

export function makeDatabaseHandlers(options: DatabaseHandlerOptions): OrderHandlers {
  const { plugins, settings } = options
  const turns = new Turns()
  const inTurn = <V extends PlaceVerb, R>(
    params: CheckedParams<V>,
    context: OrderContext,
    work: (plugin: SourcePlugin, params: CheckedParams<V>, context: PluginContext) => Promise<R>,
  ): Promise<R> => {
    const { engine, id, directory } = params as CheckedParams<PlaceVerb>
    const plugin = plugins.of(engine)
    const checked = { ...params, directory: checkPath(settings, directory) }
    return turns.take(id, context.signal, () => work(plugin, checked, contextOf(context)))
  }
  return {
    'database.discover': (_, context) => discover(plugins, contextOf(context)),
    'database.check': (params, context) =>
      plugins.of(params.engine).check(params, contextOf(context)),
    'database.seed': (params, context) => {
      requireSetting(settings, 'allowMount')
      return inTurn<'database.seed', Awaited<ReturnType<SourcePlugin['seed']>>>(
        params,
        context,
        (plugin, checked, own) => plugin.seed(checked, own),
      )
    },
    'database.follow': (params, context) => {
      requireSetting(settings, 'allowMount')
      return inTurn<'database.follow', Awaited<ReturnType<SourcePlugin['follow']>>>(
        params,
        context,
        (plugin, checked, own) => plugin.follow(checked, own),
      )
    },
    // Only looks; a seed of hours must not keep it waiting.
    'database.status': (params, context) => {
      const checked = { ...params, directory: checkPath(settings, params.directory) }
      return plugins.of(params.engine).status(checked, contextOf(context))
    },
    'database.mark': (params, context) =>
      inTurn<'database.mark', Awaited<ReturnType<SourcePlugin['mark']>>>(
        params,
        context,
        async (plugin, checked, own) => {
          const marked = await plugin.mark(checked, own)
          await flush(checked.directory, own.signal)
          return marked
        },
      ),
    // Never forbidden: what runs must be able to end.
    'database.unfollow': (params, context) =>
      inTurn<'database.unfollow', Awaited<ReturnType<SourcePlugin['unfollow']>>>(
        params,
        context,
        (plugin, checked, own) => plugin.unfollow(checked, own),
      ),
    'database.activate': (params, context) => {
      requireSetting(settings, 'allowMount')
      const logDirectories = params.logDirectories.map((path) => checkPath(settings, path))
      return inTurn<'database.activate', Awaited<ReturnType<SourcePlugin['activate']>>>(
        { ...params, logDirectories },
        context,
        (plugin, checked, own) => plugin.activate(checked, own),
      )
    },
    'database.deactivate': (params, context) =>
      inTurn<'database.deactivate', Awaited<ReturnType<SourcePlugin['deactivate']>>>(
        params,
        context,
        (plugin, checked, own) => plugin.deactivate(checked, own),
      ),
    'database.verify': (params, context) =>
      inTurn<'database.verify', Awaited<ReturnType<SourcePlugin['verify']>>>(
        params,
        context,
        (plugin, checked, own) => plugin.verify(checked, own),
      ),
  }
}

/** A disk in trouble writes slowly; control asks again. */
const FLUSH_TIMEOUT_MS = 600_000

/**
 * What the engine has written is on the disk below the file system when this returns: the freeze
 * that follows a mark sees the disk only. In a process of its own, for it may wait long.
 *
 * @throws MaasError DATABASE_PROGRAM_FAILED, CANCELLED
 */
async function flush(directory: string, signal: AbortSignal): Promise<void> {
  await runProgram(['sync', '--file-system', directory], { timeoutMs: FLUSH_TIMEOUT_MS, signal })
}

function contextOf({ signal, progress }: OrderContext): PluginContext {
  return { signal, progress: (told) => progress({ ...told, itemsDone: 0 }) }
}

/** Of every engine; one whose plug-in fails does not hide the others. */
async function discover(plugins: DatabasePlugins, context: PluginContext) {
  const found = await Promise.all(
    plugins.all.map(async (plugin) => {
      try {
        return (await plugin.discover({}, context)).instances
      } catch (error) {
        context.signal.throwIfAborted()
        const { code, message } = errorToMessage(error)
        log.warn('discover failed', { engine: plugin.engine, code, message })
        return []
      }
    }),
  )
  return { instances: found.flat() }
}
