/**
 * A clone that stands where production stood: with its accounts, its rules of who may come in, and
 * its settings, as far as they can be true of another place. Each point brings the settings along.
 *
 * What is left out: where files and sockets lie, whom it follows and archives to, who is waited
 * for at commit, logs, and libraries that this host does not have. Its rules of access come along
 * when pg_hba.conf lies in the data directory; of Debian's, in /etc, nothing is known, and every
 * role comes in by its password from anywhere that is listened to.
 */
import { closeSync, constants, existsSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { z } from 'zod'
import type { Queries } from './connection.ts'
import type { Place } from './place.ts'
import type { Programs } from './programs.ts'
import type { ServerSettings } from './server-settings.ts'

/** As `SHOW` tells them, with units. */
const SETTINGS = `
  select name, current_setting(name) as value from pg_settings
   where source in ('configuration file', 'command line', 'environment variable', 'override')
     and context <> 'internal'`

/** Beyond it somebody has made up settings of their own by the thousand. */
const SETTINGS_MAX = 1000

const settingRows = z.array(z.object({ name: z.string(), value: z.string().nullable() }))

export async function readSettings(production: Queries): Promise<Record<string, string>> {
  const rows = await production.rows(SETTINGS)
  const known = settingRows.parse(rows.slice(0, SETTINGS_MAX))
  return Object.fromEntries(known.map(({ name, value }) => [name, value ?? '']))
}

/** True of where it stood, or of what it did for others. */
const OF_ITS_PLACE = new RegExp(
  `^(?:${[
    'data_directory|listen_addresses|port|external_pid_file|cluster_name|event_source',
    'hot_standby|wal_recycle|wal_init_zero|synchronous_standby_names|jit_provider',
    'dynamic_library_path|lc_messages|allow_alter_system|bonjour.*|krb_.*|debug_.*',
    '.*_(?:file|files|directory|directories|command|library)',
    '(?:unix_socket|archive|primary|recovery|restore|log|logging|syslog|include|summarize_wal).*',
  ].join('|')})$`,
)
const TLS = /^ssl/
const LIBRARIES = /^(?:shared|session|local)_preload_libraries$/

/** @param recorded  of production, by `readSettings` */
export function settingsHere(
  place: Place,
  programs: Programs,
  recorded: ServerSettings,
): ServerSettings {
  const encrypts = hasCertificate(place, recorded)
  const kept: Record<string, string> = {}
  for (const [name, value] of Object.entries(recorded)) {
    if (TLS.test(name)) {
      if (encrypts) kept[name] = value
    } else if (LIBRARIES.test(name)) kept[name] = librariesHere(programs, value)
    else if (!OF_ITS_PLACE.test(name)) kept[name] = value
  }
  return kept
}

/** Paths that are not absolute are of the data directory. */
function hasCertificate(place: Place, recorded: ServerSettings): boolean {
  const files = [
    recorded['ssl_cert_file'] ?? 'server.crt',
    recorded['ssl_key_file'] ?? 'server.key',
  ]
  return files.every((file) => existsSync(resolve(place.layout.data, file)))
}

/** A server does not start with one that is missing. */
function librariesHere(programs: Programs, value: string): string {
  const folder = join(dirname(programs.folder), 'lib')
  const names = value.split(',').map((name) => name.trim().replaceAll('"', ''))
  const plain = (name: string): string => name.replace(/^\$libdir\//, '').replace(/\.so$/, '')
  return names.filter((name) => existsSync(join(folder, `${plain(name)}.so`))).join(',')
}

/** Every role by its password; md5 is also what takes those that are stored as SCRAM. */
const BY_PASSWORD = ['local all all md5', 'host all all 0.0.0.0/0 md5', 'host all all ::/0 md5']

/** The lines of production's pg_hba.conf that mean something here. */
export function productionAccess(place: Place): readonly string[] {
  const text = readOwn(place, 'pg_hba.conf')
  if (text === null) return BY_PASSWORD
  // Files that it includes lie beside it there, and not beside ours.
  return text.split('\n').filter((line) => /^\s*(?:local|host\w*)\s/.test(line))
}

/** Names that production maps users of the system to. */
export function productionMaps(place: Place): readonly string[] {
  const text = readOwn(place, 'pg_ident.conf') ?? ''
  return text
    .split('\n')
    .filter((line) => /^\s*\w/.test(line) && !/^\s*(?:include|openmaas)/.test(line))
}

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants
/** A list of everybody by name is some 100 KB. */
const FILE_BYTES_MAX = 16 * 1024 ** 2

/** Of the data directory, which is the server's user's: no link that lies there is followed. */
function readOwn(place: Place, name: string): string | null {
  const path = join(place.layout.data, name)
  if (!existsSync(path)) return null
  const file = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
  try {
    const { size, uid, nlink } = fstatSync(file)
    const isTheirs = place.user === null || (uid === place.user.uid && nlink === 1)
    return isTheirs && size <= FILE_BYTES_MAX ? readFileSync(file, 'utf8') : null
  } finally {
    closeSync(file)
  }
}
