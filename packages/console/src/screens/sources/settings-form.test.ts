import { describe, expect, test } from 'vitest'
import { source as schema } from '@openmaas/api/resources/source'
import { isRate, rateOf, rulesOf, toSettings, toSourceChange } from './settings-form.ts'

const source = schema.omit({ id: true, hostId: true }).parse({
  name: 'files',
  kind: 'files',
  path: '/srv',
  options: {
    include: [],
    exclude: ['*.tmp'],
    oneFileSystem: false,
    channels: 3,
    bytesPerSecond: 20 * 1024 ** 2,
  },
  labels: { env: 'prod' },
  policyId: null,
  effectivePolicyId: null,
  poolId: null,
  paused: false,
  lastSuccessAt: null,
  lastPointId: null,
  nextRunAt: null,
  createdAt: '2026-11-22T12:00:00Z',
  version: 1,
}) as Parameters<typeof toSettings>[0]

describe('the settings of a source', () => {
  test('save what was read when nothing is changed, with what the form does not show', () => {
    const { name, labels, policyId, poolId, options } = source
    expect(toSourceChange(toSettings(source), source)).toEqual({
      name,
      labels,
      policyId,
      poolId,
      options,
    })
  })

  test('drop empty rules', () => {
    const form = { ...toSettings(source), exclude: rulesOf('*.log\n\n  /tmp/ \n') }
    expect(toSourceChange(form, source).options?.exclude).toEqual(['*.log', '/tmp/'])
  })

  test('take a rate in MiB, and nothing for no limit', () => {
    expect([rateOf(''), rateOf('0.5'), rateOf('20')]).toEqual([null, 524_288, 20_971_520])
    expect(['', '1.5', '0', '-1', 'fast', 'Infinity'].map(isRate)).toEqual([
      true,
      true,
      false,
      false,
      false,
      false,
    ])
  })
})
