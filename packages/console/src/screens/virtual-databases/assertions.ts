/** `shop: select count(*) > 0 from orders`, one a line, as the CLI takes them. Pure. */
const LINE = /^\s*([^:\s]+):\s*(\S.*?)\s*$/

export interface Assertion {
  readonly database: string
  readonly sql: string
}

/** @returns null when a line is none */
export function parseAssertions(text: string): Assertion[] | null {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  const matches = lines.map((line) => LINE.exec(line))
  if (matches.some((match) => match === null)) return null
  return matches.map((match) => ({ database: match![1]!, sql: match![2]! }))
}
