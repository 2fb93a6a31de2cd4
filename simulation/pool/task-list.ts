/** How often each kind of task comes. */
import type { SeededRandom } from '@openmaas/kernel/random'
import {
  backup,
  deleteSnapshot,
  readElsewhere,
  readPinned,
  releasePin,
} from './tasks.ts'
import type { TaskContext } from './tasks.ts'
import { collect, confirmTime, readAsMedium, scrub } from './keepers.ts'

export interface Task {
  readonly name: string
  readonly run: (context: TaskContext) => Promise<void>
}

const TASKS: readonly (Task & { readonly weight: number })[] = [
  { name: 'backup', weight: 42, run: backup },
  { name: 'delete', weight: 18, run: deleteSnapshot },
  { name: 'gc', weight: 14, run: collect },
  { name: 'read', weight: 8, run: readPinned },
  { name: 'medium', weight: 4, run: readAsMedium },
  { name: 'reader process', weight: 3, run: readElsewhere },
  { name: 'scrub', weight: 6, run: scrub },
  { name: 'unpin', weight: 8, run: releasePin },
  { name: 'confirm time', weight: 2, run: confirmTime },
]

const WEIGHT_SUM = TASKS.reduce((sum, { weight }) => sum + weight, 0)

export function chooseTask(random: SeededRandom): Task {
  let at = random.below(WEIGHT_SUM)
  for (const task of TASKS) {
    if (at < task.weight) return task
    at -= task.weight
  }
  throw new Error('the weights add up')
}
