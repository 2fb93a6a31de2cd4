/**
 * Changes the product's source text while it is loaded: mutants, and sizes that would make a
 * simulated world slow. The files on disk stay as they are, and the product has no switches.
 *
 * Import and call before any module of the product is loaded. A text that is not found exactly
 * once is an error: a patch that no longer fits its source must not pass for a harmless one.
 */
import { registerHooks } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface Patch {
  /** From the root of the repository. */
  readonly file: string
  readonly find: string
  readonly replace: string
}

export const ROOT = join(import.meta.dirname, '../..')

/**
 * Sizes and set-up costs, not protocol: small chunks and pieces, so that packs fill and split, and
 * buffers that are not a WebAssembly.Memory each.
 */
export const SIMULATION_PATCHES: readonly Patch[] = [
  {
    file: 'packages/pool/src/chunk/chunk.ts',
    find: 'export const CHUNK_SIZE_MAX = 1 * MiB',
    replace: 'export const CHUNK_SIZE_MAX = 4096; void MiB',
  },
  {
    file: 'packages/pool/src/pack/writer.ts',
    find: 'const PIECE_SIZE = 1 * MiB',
    replace: 'const PIECE_SIZE = 4096',
  },
  {
    file: 'packages/pool/src/keys/key-slot.ts',
    find: 'memoryKiB: 32 * 1024, passes: 2',
    replace: 'memoryKiB: 8, passes: 1',
  },
  {
    file: 'packages/kernel/src/posix/align.ts',
    find: 'export function alignedBuffer(size: number): Buffer<ArrayBuffer> {',
    replace:
      'export function alignedBuffer(size: number): Buffer<ArrayBuffer> {\n' +
      '  if (size > 0) return Buffer.alloc(size)',
  },
]

/** Applies the patches to modules loaded from now on. @throws when one does not fit its file */
export function applyPatches(patches: readonly Patch[]): void {
  const byFile = Map.groupBy(patches, ({ file }) => join(ROOT, file))
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context)
      const wanted = url.startsWith('file:') ? byFile.get(fileURLToPath(url)) : undefined
      if (wanted === undefined) return loaded
      let source = Buffer.from(loaded.source as Uint8Array).toString('utf8')
      for (const patch of wanted) source = patchText(source, patch)
      return { ...loaded, source, shortCircuit: true }
    },
  })
}

/** @throws when the text is not there exactly once */
export function patchText(source: string, { file, find, replace }: Patch): string {
  const pieces = source.split(find)
  if (pieces.length !== 2) {
    throw new Error(`a patch fits ${file} ${pieces.length - 1} times, not once: ${find}`)
  }
  return pieces.join(replace)
}
