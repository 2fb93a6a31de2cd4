import { fileURLToPath } from 'node:url'

/** Where tools/build-console.ts leaves the console, in a working tree and in the Debian package. */
export const BUILT_CONSOLE = fileURLToPath(new URL('../../../console/dist', import.meta.url))
