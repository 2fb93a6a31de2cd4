/** The ways programs are told how to reach a database. Pure. */
import type { ConnectionRevealed } from '@openmaas/api/resources/virtual-database'

export interface ConnectionFacts {
  readonly engine: string
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  readonly databases: readonly string[]
}

/** What every instance has, and nobody means. */
const SYSTEM_DATABASES: ReadonlySet<string> = new Set([
  'postgres',
  'template0',
  'template1',
  'mysql',
  'sys',
  'information_schema',
  'performance_schema',
])

export function describeConnection(facts: ConnectionFacts): ConnectionRevealed {
  const { engine, host, port, user, password } = facts
  const database =
    facts.databases.find((name) => !SYSTEM_DATABASES.has(name)) ??
    (engine === 'postgres' ? 'postgres' : 'mysql')
  const place = `${host.includes(':') ? `[${host}]` : host}:${port}`
  const [name, secret, path] = [user, password, database].map((text) => encodeURIComponent(text))
  const scheme = engine === 'postgres' ? 'postgresql' : 'mysql'
  const url = `${scheme}://${name}:${secret}@${place}/${path}`
  const login = `Uid=${user};Pwd=${password};`
  const odbcPlace = `Server=${host};Port=${port};Database=${database};${login}`
  const common = {
    engine,
    host,
    port,
    user,
    password,
    database,
    databases: [...facts.databases],
    url,
    jdbc: `jdbc:${scheme}://${place}/${path}`,
  }
  if (engine === 'postgres') {
    return {
      ...common,
      odbc: `Driver={PostgreSQL Unicode};${odbcPlace}`,
      command: `psql ${quoted(`host=${host} port=${port} user=${user} dbname=${database}`)}`,
      environment: {
        DATABASE_URL: url,
        PGHOST: host,
        PGPORT: String(port),
        PGUSER: user,
        PGPASSWORD: password,
        PGDATABASE: database,
      },
    }
  }
  return {
    ...common,
    odbc: `Driver={MariaDB ODBC 3.1 Driver};${odbcPlace}`,
    command: `mariadb --host=${host} --port=${port} --user=${user} --password ${quoted(database)}`,
    environment: {
      DATABASE_URL: url,
      MYSQL_HOST: host,
      MYSQL_TCP_PORT: String(port),
      MYSQL_USER: user,
      MYSQL_PWD: password,
      MYSQL_DATABASE: database,
    },
  }
}

const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`
