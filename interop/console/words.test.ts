/**
 * What the server calls things has a word in the console: the kinds of jobs, and the steps of each.
 * The console knows only the contract, so it cannot ask this itself; nothing is started here.
 */
import { en as kinds } from '@openmaas/console/screens/jobs/progress/messages/en'
import { en as steps } from '@openmaas/console/screens/jobs/steps/messages/en'
import { makeJobKinds } from '@openmaas/control/job/kinds/kinds'
import type { KindServices } from '@openmaas/control/job/kinds/services'
import { expect, test } from 'vitest'

// Services are for steps that run.
const definitions = makeJobKinds({} as KindServices)

test('every kind of job has a word in the console, and no word is of a kind that is gone', () => {
  const named = Object.keys(kinds).filter((key) => key.startsWith('kind.'))
  const known = definitions.map(({ kind }) => `kind.${kind}`)
  expect(named.toSorted()).toEqual(known.toSorted())
})

test('every step of every kind has a text in the console, and no text is of a step that is gone', () => {
  const known = definitions.flatMap(({ kind, steps: own }) =>
    own.map(({ name }) => `${kind}.${name}`),
  )
  expect(Object.keys(steps).toSorted()).toEqual(known.toSorted())
})
