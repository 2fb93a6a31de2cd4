import { describe, expect, test } from 'vitest'
import {
  isComplete,
  reachableStep,
  shellWord,
  suggestName,
  toBody,
  toCommand,
  toYaml,
} from './draft.ts'
import { newDatabase } from './database.ts'
import { protectSearch } from './search.ts'

const draft = protectSearch.parse({
  hostId: 'hst_1',
  path: "/srv/it's here",
  policyId: 'pol_1',
  exclude: '*.tmp\n\n/cache/',
  rate: '20',
})
const names = { name: 'www', host: 'web-1', policy: 'gold', pool: null }

describe('what is about to be protected', () => {
  test('gets the name of its directory, and that of its host when it is taken', () => {
    expect(suggestName('/srv/www/', 'web-1', new Set())).toBe('www')
    expect(suggestName('/srv/www', 'web-1', new Set(['www']))).toBe('web-1-www')
    expect(suggestName('/srv/www', 'web-1', new Set(['www', 'web-1-www']))).toBe('web-1-www-2')
    expect(suggestName('/', 'web-1', new Set())).toBe('root')
    // Of letters that a name has.
    expect(suggestName('/root/.ssh', 'web-1', new Set())).toBe('ssh')
    expect(suggestName('[fd00::2]:5432', 'web-1', new Set())).toBe('fd00::2-:5432')
  })

  test('cannot be reviewed before it is complete', () => {
    expect(reachableStep('review', {})).toBe('what')
    expect(reachableStep('review', { hostId: 'hst_1', path: '/srv' })).toBe('promise')
    expect(reachableStep('review', { ...draft, rate: 'fast' })).toBe('where')
    expect(reachableStep('review', draft)).toBe('review')
    expect(isComplete('what', { hostId: 'hst_1', path: 'srv' })).toBe(false)
  })

  test('is a body of the API', () => {
    expect(toBody(draft, 'www')).toEqual({
      name: 'www',
      hostId: 'hst_1',
      kind: 'files',
      path: "/srv/it's here",
      policyId: 'pol_1',
      poolId: null,
      options: { exclude: ['*.tmp', '/cache/'], bytesPerSecond: 20_971_520 },
    })
    expect(toBody({ ...draft, policyId: 'none' }, 'www').policyId).toBeNull()
  })

  test('is a command that a shell reads as it was meant', () => {
    expect(shellWord("it's")).toBe(String.raw`'it'\''s'`)
    expect(toCommand(draft, names)).toBe(
      String.raw`openmaas source add web-1 '/srv/it'\''s here' --name www --policy gold --exclude '*.tmp' --exclude /cache/ --rate 20M`,
    )
  })

  test('is a document, whose words are quoted as JSON, which YAML understands', () => {
    expect(toYaml(draft, names).split('\n')).toEqual([
      'apiVersion: openmaas/v1',
      'kind: Source',
      'metadata:',
      '  name: "www"',
      'spec:',
      '  host: "web-1"',
      '  kind: files',
      `  path: "/srv/it's here"`,
      '  policy: "gold"',
      '  options:',
      '    exclude: ["*.tmp", "/cache/"]',
      '    bytesPerSecond: 20971520',
    ])
    expect(toYaml({ path: '/srv' }, names)).not.toContain('options')
  })
})

describe('a database', () => {
  const asked = protectSearch.parse({ hostId: 'hst_1', kind: 'postgres', policyId: 'plc_1' })
  const database = { ...newDatabase('postgres', 'fd00::2'), password: 'secret', isChecked: true }

  test('can be left only when the server has looked and all holds', () => {
    expect(isComplete('what', asked)).toBe(false)
    expect(isComplete('what', asked, newDatabase('postgres'))).toBe(false)
    expect(reachableStep('review', asked, database)).toBe('review')
  })

  test('has its connection in the body and no path', () => {
    const body = toBody({ ...asked, path: '/var/lib/postgresql' }, 'shop', database)
    expect(body).not.toHaveProperty('path')
    expect(body.database?.connection).toEqual({
      host: 'fd00::2',
      port: 5432,
      user: 'openmaas',
      tls: 'off',
      password: 'secret',
    })
  })

  test('is a command without its password', () => {
    const command = toCommand(asked, { ...names, name: 'shop' }, database)
    expect(command).toBe(
      "openmaas database protect postgres '[fd00::2]:5432' --on web-1 --user openmaas --name shop --password-file password.txt --policy gold",
    )
  })
})

test('what is wrong in the address is dropped', () => {
  const search = protectSearch.parse({ step: 'done', kind: 'No Engine', path: '/srv', more: 1 })
  expect(Object.entries(search).filter(([, value]) => value !== undefined)).toEqual([
    ['path', '/srv'],
  ])
})
