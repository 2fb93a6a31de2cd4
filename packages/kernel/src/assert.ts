/**
 * Assertions for bugs. A failed assertion means the program is wrong, not the world: it is never
 * caught except at a job or connection boundary, which logs it and fails that unit.
 */
export class AssertionFailure extends Error {
  override readonly name = 'AssertionFailure'
}

/**
 * @param invariant the statement that always holds, in words
 * @throws AssertionFailure
 */
export function assert(condition: unknown, invariant: string): asserts condition {
  if (!condition) throw new AssertionFailure(`invariant does not hold: ${invariant}`)
}

/** For the arm of a switch that no value reaches. */
export function unreachable(value: never): never {
  throw new AssertionFailure(`unreachable value: ${String(value)}`)
}
