import { GEAR_KERNEL_BASE64 } from '@openmaas/pool/chunker/gear-kernel'
import { expect, test } from 'vitest'
import { compileChunker, compilerExists } from './build-chunker.ts'

const [present, missing] = compilerExists() ? [['gear.ts'], []] : [[], ['assemblyscript']]

test.each(present)('the checked-in WebAssembly is what %s compiles to', () => {
  expect(compileChunker().toString('base64')).toBe(GEAR_KERNEL_BASE64)
})

test.skip.each(missing)('skipped: %s missing', () => undefined)
