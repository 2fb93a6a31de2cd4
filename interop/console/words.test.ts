/**
 * What the server calls things has a word in the console: the kinds of jobs, and the steps of each.
 * The console knows only the contract, so it cannot ask this itself; nothing is started here.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { en as kinds } from '@openmaas/console/screens/jobs/progress/messages/en'
import { en as steps } from '@openmaas/console/screens/jobs/steps/messages/en'
import { en as protect } from '@openmaas/console/screens/protect/messages/en'
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

/** As an engine's check.ts writes them: `name: 'role'`, `const name = 'role'`, `fine('role', …`. */
const NAME = /\b(?:name(?:: | = )|fine\(|setting\(\s*)'([^']+)'/g
const NAME_OF_LIST = /for \(const name of \[([^\]]+)\]/g

/** Read, not asked: that would need servers that lack everything. */
function namesOfChecks(engine: string): string[] {
  const path = join(import.meta.dirname, '../../packages/sources', engine, 'src/check.ts')
  const source = readFileSync(path, 'utf8')
  const inLists = [...source.matchAll(NAME_OF_LIST)].flatMap((match) => match[1]!.split(','))
  const single = [...source.matchAll(NAME)].map((match) => match[1]!)
  return [...single, ...inLists.map((name) => name.trim().replaceAll("'", ''))]
}

test('every check of a database has a text for when it holds and for when it does not', () => {
  const names = new Set(['postgres', 'mysql'].flatMap((engine) => namesOfChecks(engine)))
  for (const word of ['holds', 'lacks']) {
    const texts = Object.keys(protect).filter((key) => key.startsWith(`${word}.`))
    const known = [...names].map((name) => `${word}.${name}`)
    expect(texts.toSorted()).toEqual(known.toSorted())
  }
})
