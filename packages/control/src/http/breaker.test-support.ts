/** Breaks requests by seed, and says whether an answer is one of the contract. */
import { expect } from 'vitest'
import { problem } from '@openmaas/api/resources/common'
import { isSchema, routeOf } from '@openmaas/api/routes/routes'
import type { RouteName } from '@openmaas/api/routes/routes'
import type { SeededRandom } from '@openmaas/kernel/random'

/** Values that have broken servers before. */
const JUNK: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1.5,
  1e308,
  Number.MAX_SAFE_INTEGER + 2,
  '',
  ' ',
  'x'.repeat(5000),
  '\u0000',
  '\ud800',
  '\u202e\u0007\u001b[31m',
  '../../../etc/passwd',
  "'; drop table source; --",
  '$' + '{7*7}',
  '%00%ff',
  '9999-99-99T99:99:99Z',
  '+275760-09-13T00:00:00Z',
  [],
  [[[]]],
  {},
  { $ne: null },
  { length: 1e9 },
  { toString: 'x', constructor: { prototype: 1 } },
]
const KEYS = ['id', 'extra', '__proto__', 'constructor', 'a'.repeat(300), '', '~/~0', 'filter[x]']

export class Breaker {
  readonly #random: SeededRandom

  constructor(random: SeededRandom) {
    this.#random = random
  }

  pick<T>(list: readonly T[]): T {
    return list[this.#random.below(list.length)]!
  }

  chance(share: number): boolean {
    return this.#random.unit() < share
  }

  /** The value with some of its parts replaced, removed or added. */
  break(value: unknown, share: number): unknown {
    if (this.chance(share)) return this.pick(JUNK)
    if (Array.isArray(value)) {
      const items = value.map((item) => this.break(item, share))
      return this.chance(share) ? [...items, this.pick(JUNK)] : items
    }
    if (typeof value !== 'object' || value === null) return value
    const kept = Object.entries(value).filter(() => !this.chance(share / 2))
    const broken = kept.map(([key, item]): [string, unknown] => [key, this.break(item, share)])
    if (this.chance(share)) broken.push([this.pick(KEYS), this.pick(JUNK)])
    return Object.fromEntries(broken)
  }

  text(): string {
    const value = this.pick(JUNK)
    return (typeof value === 'string' ? value : JSON.stringify(value)).toWellFormed()
  }

  /** The text with some of its bytes changed, cut or doubled. */
  garble(text: string): Buffer {
    const bytes = Buffer.from(text)
    for (let i = 0; i < 1 + this.#random.below(4) && bytes.length > 0; i += 1) {
      bytes[this.#random.below(bytes.length)] = this.#random.below(256)
    }
    const cut = this.#random.below(bytes.length + 1)
    return this.chance(0.3) ? bytes.subarray(0, cut) : bytes
  }

  url(path: string): string {
    if (this.chance(0.7)) return path
    const [bare = '', query = ''] = path.split('?')
    const search = new URLSearchParams(query)
    const names = ['limit', 'cursor', 'sort', 'fields', 'dryRun', 'wait', 'filter[labels]', 'x']
    search.append(this.pick(names), this.text())
    const parts = bare.split('/')
    if (this.chance(0.3)) {
      parts[parts.length - 1] = encodeURIComponent(this.text())
    }
    return `${parts.join('/')}?${search.toString()}`
  }

  headers(): Record<string, string> {
    const texts = ['', '*', '"1"', 'W/"1"', '"x"', 'zh;q=NaN', '-1', '1e400', 'a'.repeat(3000), ' ']
    const names = [
      'if-match',
      'idempotency-key',
      'accept',
      'accept-language',
      'content-type',
      'last-event-id',
      'authorization',
      'cookie',
      'x-forwarded-for',
      'expect',
    ]
    const headers: Record<string, string> = {}
    while (this.chance(0.3)) headers[this.pick(names)] = this.pick(texts)
    delete headers['expect']
    return headers
  }
}

export interface SeenAnswer {
  readonly status: number
  readonly type: string
  readonly text: string
}

/** What a server may answer that cannot reach a host: no fault of its own. */
const ELSEWHERE = new Set(['HOST_OFFLINE', 'NOTIFY_FAILED', 'OIDC_UNREACHABLE'])

/** Never a failure, always a body that the contract declares. */
export function checkAnswer(name: RouteName, seen: SeenAnswer, title: string): void {
  const { status, type, text } = seen
  if (status >= 400) {
    expect(type, title).toContain('application/problem+json')
    const parsed = problem.strict().parse(JSON.parse(text))
    expect(parsed.status, title).toBe(status)
    if (!ELSEWHERE.has(parsed.code)) expect(status, `${title}: ${text}`).toBeLessThan(500)
    return
  }
  const answer = routeOf(name).response[status]
  expect(answer, `${title}: status ${status}`).not.toBeUndefined()
  // Some fields only, or lines: looked at by the tests of lists.
  if (!isSchema(answer) || type.includes('ndjson') || title.includes('fields=')) return
  expect(answer.safeParse(JSON.parse(text)).error, title).toBeUndefined()
}
