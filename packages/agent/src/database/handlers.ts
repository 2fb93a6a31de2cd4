/**
 * What an agent does about `database.*`: the plug-in of the engine does the work, on directories
 * that this host's own settings allow, one order after the other for each database.
 */
import { errorToMessage } from '@openmaas/kernel/error-message'
import { makeLog } from '@openmaas/kernel/log'
import { Rounds } from '@openmaas/kernel/rounds'
import type { PluginVerb } from '@openmaas/protocols/channel/database-orders'
import type { CheckedParams, OrderHandlers, Result } from '@openmaas/protocols/channel/orders'
import { trimRunLogs } from '@openmaas/source-kit/run-logs'
import { runProgram } from '@openmaas/source-kit/run-program'
import type { PluginContext, PluginMethod } from '@openmaas/source-kit/plugin'
import { type AgentSettings, checkPath, requireSetting } from '../session/settings.ts'
import type { DatabasePlugins } from './plugins.ts'
import { onMounts, unusableStatus, whyUnusable } from './mount-state.ts'
import { discard, Relocations } from './relocate.ts'
import { Turns } from './turns.ts'
import { VolumeGuard } from './volume-guard.ts'
import { isFull, roomOf, withRoom } from './volume-room.ts'

const log = makeLog('openmaas:agent:database')

type OrderContext = Parameters<NonNullable<OrderHandlers['database.seed']>>[1]
/** Orders about one place on this host. */
type PlaceVerb = Exclude<PluginVerb, 'database.discover' | 'database.check'>
type Handler<V extends PluginVerb> = (
  params: CheckedParams<V>,
  context: OrderContext,
) => Promise<Result<V>>
type MethodOf<V extends PluginVerb> = V extends `database.${infer M}` ? M & PluginMethod : never

export interface DatabaseHandlerOptions {
  readonly plugins: DatabasePlugins
  readonly settings: AgentSettings
}

export function makeDatabaseHandlers(options: DatabaseHandlerOptions): OrderHandlers {
  const { plugins, settings } = options
  const turns = new Turns()
  const inTurn = makeInTurn(options, turns)
  const activate = inTurn<'database.activate'>('activate')
  const seed = inTurn<'database.seed'>('seed')
  const follow = inTurn<'database.follow'>('follow')
  const unfollow = inTurn<'database.unfollow'>('unfollow', { ends: true })
  const guard = new VolumeGuard({ plugins, turns })
  boundLogs()
  return {
    'database.discover': (_, context) => discover(plugins, contextOf(context)),
    'database.check': (params, context) =>
      plugins.of(params.engine).check(params, contextOf(context)),
    'database.seed': starting<'database.seed'>(settings, (params, context) => {
      guard.release(params.id)
      return seed(params, context)
    }),
    'database.follow': starting<'database.follow'>(settings, async (params, context) => {
      const checked = { ...params, directory: checkPath(settings, params.directory) }
      const { engine, id, directory, connection } = checked
      return onMounts([directory], async () => {
        const room = await roomOf(directory)
        if (room !== null && isFull(room)) {
          await guard.stop(checked)
          const asked = { engine, id, directory, connection }
          return withRoom(await plugins.of(engine).status(asked, contextOf(context)), room)
        }
        const status = await follow(params, context)
        guard.watch(checked)
        return withRoom(status, await roomOf(directory))
      })
    }),
    // Only looks; a seed of hours must not keep it waiting.
    'database.status': async (params, context) => {
      const checked = { ...params, directory: checkPath(settings, params.directory) }
      const plugin = plugins.of(params.engine)
      const why = await whyUnusable(checked.directory)
      if (why !== null) return unusableStatus(checked.directory, why)
      const status = await plugin.status(checked, contextOf(context))
      return withRoom(status, await roomOf(checked.directory))
    },
    'database.mark': inTurn<'database.mark'>('mark', {
      after: ({ directory }, { signal }) => flush(directory, signal),
    }),
    // Never forbidden: what runs must be able to end.
    'database.unfollow': (params, context) => {
      guard.release(params.id)
      return unfollow(params, context)
    },
    'database.deactivate': inTurn<'database.deactivate'>('deactivate', { ends: true }),
    'database.activate': starting<'database.activate'>(settings, (params, context) => {
      const logDirectories = params.logDirectories.map((path) => checkPath(settings, path))
      return activate({ ...params, logDirectories }, context)
    }),
    'database.verify': inTurn<'database.verify'>('verify'),
    ...makeMoving(options, turns),
  }
}

/** A server that logs 50 MB a second has written 100 MB more than it may until the next look. */
const LOG_LOOK_MS = 2000

/** As long as the agent lives. */
function boundLogs(): void {
  const onError = (error: unknown): void => {
    log.error('logs cannot be bounded', { message: errorToMessage(error).message })
  }
  const round = (): Promise<void> => Promise.resolve(trimRunLogs())
  new Rounds({ everyMs: LOG_LOOK_MS, round, onError }).start()
}

/** What starts something here is up to this host's own settings. */
function starting<V extends PlaceVerb>(settings: AgentSettings, handler: Handler<V>): Handler<V> {
  return (params, context) => {
    requireSetting(settings, 'allowMount')
    return handler(params, context)
  }
}

/** To a local directory, and away from there. */
function makeMoving({ plugins, settings }: DatabaseHandlerOptions, turns: Turns): OrderHandlers {
  const relocations = new Relocations()
  return {
    'database.relocate': (params, context) => {
      requireSetting(settings, 'allowMount')
      const plugin = plugins.of(params.engine)
      const directory = checkPath(settings, params.directory)
      const checked = { ...params, directory, to: checkPath(settings, params.to) }
      return turns.take(params.id, context.signal, () =>
        onMounts([directory], () => relocations.relocate(plugin, checked, contextOf(context))),
      )
    },
    'database.discard': (params, context) => {
      const directory = checkPath(settings, params.directory)
      return turns.take(params.id, context.signal, () =>
        discard({ ...params, directory }, context.signal),
      )
    },
  }
}

interface Turn {
  readonly after?: (params: CheckedParams<PlaceVerb>, context: OrderContext) => Promise<void>
  /** What runs must be able to end, also where its disk is gone. */
  readonly ends?: boolean
}

/** Handlers of which no two work on one database at once. */
function makeInTurn({ plugins, settings }: DatabaseHandlerOptions, turns: Turns) {
  return <V extends PlaceVerb>(
    method: MethodOf<V>,
    { after, ends = false }: Turn = {},
  ): Handler<V> =>
    (params, context) => {
      const { engine, id, directory } = params as CheckedParams<PlaceVerb>
      const plugin = plugins.of(engine)
      const checked = { ...params, directory: checkPath(settings, directory) }
      const ask = plugin[method].bind(plugin) as unknown as (
        asked: CheckedParams<V>,
        told: PluginContext,
      ) => Promise<Result<V>>
      const { logDirectories = [] } = params as { readonly logDirectories?: readonly string[] }
      const places = ends ? [] : [checked.directory, ...logDirectories]
      return turns.take(id, context.signal, () =>
        onMounts(places, async () => {
          const result = await ask(checked, contextOf(context))
          await after?.(checked as CheckedParams<PlaceVerb>, context)
          return result
        }),
      )
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
