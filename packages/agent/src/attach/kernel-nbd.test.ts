import { expect, test } from 'vitest'
import { type AttachWish, chooseAttachMethod } from './kernel-nbd.ts'

const host = (nodes: boolean, answers: boolean) => ({ nodes: () => nodes, answers: () => answers })

test.each<[AttachWish, boolean, boolean, string]>([
  ['auto', true, true, 'kernel-nbd'],
  ['auto', true, false, 'fuse-loop'],
  ['auto', false, true, 'fuse-loop'],
  ['auto', false, false, 'fuse-loop'],
  ['fuse', true, true, 'fuse-loop'],
  ['nbd', true, true, 'kernel-nbd'],
  ['nbd', false, true, 'kernel-nbd'],
])('%s with nodes %s and an answering kernel %s is %s', (wish, nodes, answers, method) => {
  expect(chooseAttachMethod(wish, host(nodes, answers))).toBe(method)
})

test('asks the kernel nothing, which might load a module, when no node is there', () => {
  const means = {
    nodes: () => false,
    answers: () => {
      throw new Error('asked')
    },
  }
  expect(chooseAttachMethod('auto', means)).toBe('fuse-loop')
})

test('says what is missing when kernel nbd was asked for', () => {
  expect(() => chooseAttachMethod('nbd', host(true, false))).toThrowError(
    expect.objectContaining({ code: 'NBD_KERNEL_MISSING' }),
  )
})
