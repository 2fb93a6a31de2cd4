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

const NATIVE: ReadonlySet<string> = new Set(['postgres', 'mysql'])

/** What of it is the same whoever logs in. */
export type Described = Omit<ConnectionRevealed, 'accounts' | 'readOnly'>

/** For users of production, who know their names and passwords. */
export function describeWithoutUser(facts: ConnectionFacts): Described {
  const { command, ...plain } = describeConnection({ ...facts, user: '', password: '' })
  const named = Object.entries(plain.environment).filter(([, value]) => value !== '')
  const environment = Object.fromEntries(named)
  const url = plain.url.replace('://:@', '://')
  if ('DATABASE_URL' in environment) environment['DATABASE_URL'] = url
  return {
    ...plain,
    url,
    odbc: plain.odbc.replace('Uid=;Pwd=;', ''),
    command: command.replace(/ (?:user=|--user=)(?= )/, ''),
    environment,
  }
}

export function describeConnection(facts: ConnectionFacts): Described {
  const { engine, host, port, user, password } = facts
  if (!NATIVE.has(engine)) return describeOther(facts)
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

/** Of a plug-in of somebody's: what drivers want for it is not known here. */
function describeOther(facts: ConnectionFacts): Described {
  const { engine, host, port, user, password, databases } = facts
  const [database = ''] = databases
  const place = `${host.includes(':') ? `[${host}]` : host}:${port}`
  const [name, secret, path] = [user, password, database].map((text) => encodeURIComponent(text))
  const url = `${engine}://${name}:${secret}@${place}/${path}`
  return {
    engine,
    host,
    port,
    user,
    password,
    database,
    url,
    databases: [...databases],
    jdbc: '',
    odbc: '',
    command: '',
    environment: {
      DATABASE_URL: url,
      DATABASE_HOST: host,
      DATABASE_PORT: String(port),
      DATABASE_USER: user,
      DATABASE_PASSWORD: password,
      DATABASE_NAME: database,
    },
  }
}

const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`
