/** For tests that log in often: a stretch of some microseconds. */
import type { PasswordCost } from './password.ts'

export const CHEAP: PasswordCost = { memoryKiB: 64, passes: 1, parallelism: 1 }
