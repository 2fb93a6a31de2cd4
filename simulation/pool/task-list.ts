/** How often each kind of task comes. */
import type { SeededRandom } from '@openmaas/kernel/random'
import { backup, deleteSnapshot, readElsewhere, readPinned, releasePin } from './tasks.ts'
import type { Profile } from './profile.ts'
import type { TaskContext } from './tasks.ts'
import { collect, confirmTime, openTwice, readAsMedium, scrub } from './keepers.ts'

export interface Task {
  readonly name: string
  readonly run: (context: TaskContext) => Promise<void>
}

type Weights = Readonly<Record<Profile['habit'], number>>

const TASKS: readonly (Task & { readonly weights: Weights })[] = [
  { name: 'backup', weights: { mixed: 42, collecting: 34 }, run: backup },
  { name: 'delete', weights: { mixed: 18, collecting: 20 }, run: deleteSnapshot },
  { name: 'gc', weights: { mixed: 14, collecting: 22 }, run: collect },
  { name: 'read', weights: { mixed: 8, collecting: 4 }, run: readPinned },
  { name: 'medium', weights: { mixed: 4, collecting: 10 }, run: readAsMedium },
  { name: 'reader process', weights: { mixed: 3, collecting: 1 }, run: readElsewhere },
  { name: 'scrub', weights: { mixed: 6, collecting: 1 }, run: scrub },
  { name: 'unpin', weights: { mixed: 8, collecting: 4 }, run: releasePin },
  { name: 'second owner', weights: { mixed: 1, collecting: 1 }, run: openTwice },
  { name: 'confirm time', weights: { mixed: 2, collecting: 2 }, run: confirmTime },
]

export function chooseTask(random: SeededRandom, habit: Profile['habit']): Task {
  let at = random.below(TASKS.reduce((sum, { weights }) => sum + weights[habit], 0))
  for (const task of TASKS) {
    if (at < task.weights[habit]) return task
    at -= task.weights[habit]
  }
  throw new Error('the weights add up')
}
