/** `--assert 'shop: select count(*) > 0 from orders'`: what is asked of points of a database. */
import { MaasError } from '@openmaas/kernel/errors'
import type { Input } from '../program/input.ts'
import type { Row } from './server.ts'

/** @throws MaasError USAGE */
export function assertionsOf(input: Input): Row[] {
  return input.list('assert').map((text) => {
    const match = /^([^:\s]+):\s*(\S.*)$/s.exec(text)
    if (match !== null) return { database: match[1], sql: match[2] }
    const message = `--assert wants 'database: select …', not "${text}"`
    throw new MaasError('USAGE', message, { option: 'assert' })
  })
}
