import { expect, test } from 'vitest'
import { firstSteps, isOver } from './first-steps.ts'

const status = (pools: number, sources: number, points: number) =>
  ({
    pools: { total: pools },
    sources: { total: sources },
    points: { total: points },
  }) as Parameters<typeof firstSteps>[0]['status']

test('the first step that is not done is the next one', () => {
  const steps = firstSteps({ status: status(1, 0, 0), hasAgent: false, hasMounted: false })
  expect(steps.map(({ isDone }) => isDone)).toEqual([true, false, false, false])
  expect(steps.find(({ isNext }) => isNext)?.name).toBe('agent')
})

test('a source without a point is not protected yet', () => {
  const steps = firstSteps({ status: status(1, 1, 0), hasAgent: true, hasMounted: false })
  expect(steps.find(({ isNext }) => isNext)?.name).toBe('source')
})

test('it is over when a point was mounted', () => {
  const done = firstSteps({ status: status(1, 1, 1), hasAgent: true, hasMounted: true })
  expect(isOver(done)).toBe(true)
  expect(done.some(({ isNext }) => isNext)).toBe(false)
})
