/** An instance that was recovered before, started again where it stands. */
import type { RunningInstance } from '@openmaas/protocols/channel/database-orders'
import type { VirtualDatabaseRow } from '../../virtual-database/rows.ts'
import type { StepContext } from '../definition.ts'
import { deactivateAt, type InstanceWish, wishOf } from './clone-steps.ts'
import { type MediumPlace, mountPathOf } from './database-media.ts'
import { againOf, knownPlace, withMounts } from './mounted-again.ts'
import type { KindServices } from './services.ts'

/** A crash recovery of a busy instance reads its log since the last checkpoint. */
const START_TIMEOUT_MS = 3_600_000

/** On its clone, which is mounted anew where it is not mounted or takes no writes any more. */
export async function startInstance(
  services: KindServices,
  context: StepContext<unknown, unknown>,
  row: VirtualDatabaseRow,
  place: Pick<MediumPlace, 'mediumId' | 'hostId'>,
): Promise<RunningInstance> {
  const wish: InstanceWish = await wishOf(services, context, row)
  const start = (suffix: string): Promise<RunningInstance> =>
    context.orders.order(
      place.hostId,
      'database.activate',
      {
        ...wish,
        directory: row.directory ?? mountPathOf(place.mediumId),
        logDirectories: [],
        // It has been recovered: its own state is what there is.
        target: { kind: 'snapshot' },
      },
      {
        key: context.key(`start:${place.mediumId}${suffix}`),
        timeoutMs: START_TIMEOUT_MS,
        signal: context.signal,
      },
    )
  if (row.directory !== null) return start('')
  const media = async (): Promise<MediumPlace[]> => [await knownPlace(context, place.mediumId)]
  const { engine, id } = row
  const ending = { engine, id, base: place, immediate: true, suffix: againOf(context) }
  const stop = (): Promise<void> => deactivateAt(context, ending)
  return withMounts(services, context, { media, stop }, start)
}
