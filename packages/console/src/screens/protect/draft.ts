/** What is about to be protected: defaults, what is missing, and three ways to say it. */
import { objectNameFrom } from '@openmaas/api/object-name'
import { isDatabaseKind } from '@openmaas/api/resources/source'
import type { BodyFor } from '@openmaas/api/routes/routes'
import { isRate, rateOf, rulesOf } from '../sources/settings-form.ts'
import { type Database, placeOf, toConnection } from './database.ts'
import { type Draft, type Step, STEPS } from './search.ts'

export const NO_POLICY = 'none'

/** `/srv/www` → `www`; two of one name are told apart by the host. */
export function suggestName(path: string, hostName: string, taken: ReadonlySet<string>): string {
  const part = path.split('/').findLast((each) => each !== '') ?? ''
  const last = objectNameFrom(part) || 'root'
  const names = [last, `${hostName}-${last}`]
  for (let number = 2; ; number += 1) {
    const free = names.find((name) => !taken.has(name))
    if (free !== undefined) return free
    names.push(`${hostName}-${last}-${number}`)
  }
}

/** May this step be left? */
export function isComplete(step: Step, draft: Draft, database?: Database): boolean {
  switch (step) {
    case 'what':
      if (draft.hostId === undefined) return false
      if (isDatabaseKind(draft.kind ?? 'files')) return database?.isChecked === true
      return draft.path?.startsWith('/') === true
    case 'promise':
      return draft.policyId !== undefined
    case 'where':
      return isRate(draft.rate ?? '')
    case 'review':
      return STEPS.slice(0, -1).every((one) => isComplete(one, draft, database))
  }
}

/** The first step that something is missing of, at most the one that was asked for. */
export function reachableStep(asked: Step, draft: Draft, database?: Database): Step {
  const until = STEPS.slice(0, STEPS.indexOf(asked))
  return until.find((step) => !isComplete(step, draft, database)) ?? asked
}

const excludeOf = ({ exclude = '' }: Draft): string[] =>
  rulesOf(exclude)
    .map((rule) => rule.trim())
    .filter((rule) => rule !== '')

/** @param name what is used when none was typed */
export function toBody(draft: Draft, name: string, database?: Database): BodyFor<'createSource'> {
  const { hostId, path, kind = 'files', policyId, poolId, rate = '' } = draft
  return {
    name: draft.name ?? name,
    hostId: hostId!,
    kind,
    ...(!isDatabaseKind(kind) && path !== undefined && { path }),
    ...(isDatabaseKind(kind) &&
      database !== undefined && { database: { connection: toConnection(database) } }),
    policyId: policyId === NO_POLICY || policyId === undefined ? null : policyId,
    poolId: poolId ?? null,
    options: { exclude: excludeOf(draft), bytesPerSecond: rateOf(rate) },
  }
}

interface Names {
  readonly name: string
  readonly host: string
  readonly policy: string | null
  readonly pool: string | null
}

/** A word of a shell, quoted where it must be. */
export function shellWord(text: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(text)
    ? text
    : `'${text.replaceAll("'", String.raw`'\''`)}'`
}

export function toCommand(draft: Draft, names: Names, database?: Database): string {
  if (database !== undefined && isDatabaseKind(draft.kind ?? 'files')) {
    return databaseCommand(draft, names, database)
  }
  const words = ['openmaas', 'source', 'add', names.host, draft.path ?? '', '--name', names.name]
  if (names.policy !== null) words.push('--policy', names.policy)
  if (names.pool !== null) words.push('--pool-name', names.pool)
  for (const rule of excludeOf(draft)) words.push('--exclude', rule)
  if (draft.rate !== undefined) words.push('--rate', `${draft.rate}M`)
  if (draft.kind === 'disk') words.push('--disk')
  return words.map(shellWord).join(' ')
}

function databaseCommand(draft: Draft, names: Names, database: Database): string {
  const words = ['openmaas', 'database', 'protect', draft.kind!, placeOf(database)]
  words.push('--on', names.host, '--user', database.user, '--name', names.name)
  // A password on a command line is everybody's.
  if (database.password !== '') words.push('--password-file', 'password.txt')
  if (database.tls !== 'off') words.push('--tls', database.tls)
  if (names.policy !== null) words.push('--policy', names.policy)
  if (names.pool !== null) words.push('--pool-name', names.pool)
  return words.map(shellWord).join(' ')
}

/** For `openmaas apply -f`; of files and disks. */
export function toYaml(draft: Draft, names: Names): string {
  const text = (value: string): string => JSON.stringify(value)
  const bytesPerSecond = rateOf(draft.rate ?? '')
  const exclude = excludeOf(draft)
  const lines = [
    'apiVersion: openmaas/v1',
    'kind: Source',
    'metadata:',
    `  name: ${text(names.name)}`,
    'spec:',
    `  host: ${text(names.host)}`,
    `  kind: ${draft.kind ?? 'files'}`,
    `  path: ${text(draft.path ?? '')}`,
    ...(names.policy === null ? [] : [`  policy: ${text(names.policy)}`]),
    ...(names.pool === null ? [] : [`  pool: ${text(names.pool)}`]),
    ...(exclude.length + (bytesPerSecond ?? 0) > 0 ? ['  options:'] : []),
    ...(exclude.length > 0 ? [`    exclude: [${exclude.map(text).join(', ')}]`] : []),
    ...(bytesPerSecond === null ? [] : [`    bytesPerSecond: ${bytesPerSecond}`]),
  ]
  return lines.join('\n')
}
