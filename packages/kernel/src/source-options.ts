/** Options of Node for a program that runs from its sources, not from the bundle. */
import process from 'node:process'

/**
 * Wrappers of WebAssembly are never compiled. V8 13.6 frees one twice when threads that begin at
 * the same time compile it, and aborts (WasmImportWrapperCache::Free); Node strips types by
 * WebAssembly, so every thread that runs a source is one. The bundle does without: any option of
 * V8 makes Node's own cache of code useless, which costs 45 ms at each start.
 */
export const SOURCE_OPTIONS: readonly string[] = ['--wasm-wrapper-tiering-budget=1000000000']

/**
 * What this program was started with, and what one that runs from sources needs beside. With
 * OPENMAAS_SOURCE_OPTIONS=none nothing: for a machine whose cache of compiled code is complete.
 */
export function sourceArguments(): string[] {
  const given = process.execArgv
  if (process.env['OPENMAAS_SOURCE_OPTIONS'] === 'none') return [...given]
  return [...given, ...SOURCE_OPTIONS.filter((option) => !given.includes(option))]
}
