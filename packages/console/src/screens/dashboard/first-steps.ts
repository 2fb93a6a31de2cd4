/** What is done of the way to a mounted point, and what comes next. */
import type { Status } from '@openmaas/api/resources/status'

export interface FirstStep {
  readonly name: 'pool' | 'agent' | 'source' | 'mount'
  readonly isDone: boolean
  /** The first that is not done. */
  readonly isNext: boolean
  /** Address without parameters. */
  readonly to: string
}

interface Facts {
  readonly status: Pick<Status, 'pools' | 'sources' | 'points'>
  readonly hasAgent: boolean
  readonly hasMounted: boolean
}

export function firstSteps({ status, hasAgent, hasMounted }: Facts): FirstStep[] {
  const { pools, sources, points } = status
  const steps = [
    { name: 'pool', isDone: pools.total > 0, to: '/pools' },
    { name: 'agent', isDone: hasAgent, to: '/hosts' },
    // Protected is what could be had back, not what was only asked for.
    { name: 'source', isDone: sources.total > 0 && points.total > 0, to: '/protect' },
    { name: 'mount', isDone: hasMounted, to: '/recover' },
  ] as const
  const next = steps.findIndex(({ isDone }) => !isDone)
  return steps.map((step, index) => ({ ...step, isNext: index === next }))
}

export function isOver(steps: readonly FirstStep[]): boolean {
  return steps.every(({ isDone }) => isDone)
}
