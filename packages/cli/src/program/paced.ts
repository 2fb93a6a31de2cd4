/** Long synchronous walks that let signals in: a handler of SIGINT runs between turns only. */
import { setImmediate as nextTurn } from 'node:timers/promises'

/** A turn costs microseconds; this many entries cost some milliseconds. */
const ITEMS_PER_TURN = 256

/** Maps and passes on; ends with the signal's reason once it is aborted. */
export async function* paced<T, R>(
  items: Iterable<T>,
  signal: AbortSignal,
  map: (item: T) => R,
): AsyncGenerator<R> {
  let count = 0
  for (const item of items) {
    yield map(item)
    count += 1
    if (count % ITEMS_PER_TURN === 0) await nextTurn()
    signal.throwIfAborted()
  }
}
