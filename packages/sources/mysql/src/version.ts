/** What a server calls itself, and which of the two products it is. */
import { MaasError } from '@openmaas/kernel/errors'

export type Product = 'mariadb' | 'mysql'

export interface ServerVersion {
  readonly product: Product
  /** `10.11.19`. */
  readonly number: string
  /** `10.11`: physical copies and clones pass within one series only. */
  readonly series: string
}

const NUMBER = /(\d+)\.(\d+)\.(\d+)/

/**
 * @param text  `@@version` (`10.11.19-MariaDB-0+deb12u1-log`, `9.7.4-2`) or a program's `--version`
 * @throws MaasError DATABASE_VERSION_UNSUPPORTED
 */
export function parseVersion(text: string): ServerVersion {
  // Old clients get "5.5.5-10.11.19-MariaDB": the prefix is a lie for old replicas.
  const match = NUMBER.exec(text.replace(/\b5\.5\.5-/, ''))
  if (match === null) {
    const message = `the server calls itself "${text.slice(0, 100)}", which is no version`
    throw new MaasError('DATABASE_VERSION_UNSUPPORTED', message, {})
  }
  const product = /mariadb/i.test(text) ? 'mariadb' : 'mysql'
  return { product, number: match[0], series: `${match[1]}.${match[2]}` }
}

/** As people call it. */
export function productTitle(product: Product): string {
  return product === 'mariadb' ? 'MariaDB' : 'MySQL'
}

/** Versions whose replication statements and clone plugin this plug-in uses. */
export function requireSupported(version: ServerVersion): void {
  const [major = 0, minor = 0] = version.series.split('.').map(Number)
  // MariaDB's programs take GTIDs since then; MySQL's statements say "replica" since 8.0.26.
  const oldest = version.product === 'mariadb' ? [10, 8] : [8, 0]
  if (major > oldest[0]! || (major === oldest[0] && minor >= oldest[1]!)) return
  const title = `${productTitle(version.product)} ${version.number}`
  const message = `${title} is older than ${oldest.join('.')}`
  throw new MaasError('DATABASE_VERSION_UNSUPPORTED', message, { version: version.number })
}
