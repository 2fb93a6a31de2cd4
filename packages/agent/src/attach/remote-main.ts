/**
 * The process that serves one medium of another node, under a keeper (medium/engine/keeper.ts).
 *
 *   argv[2]  its directory (remote-record.ts)
 *   fd 3     /dev/fuse
 *   fd 4     a sealed memfd with the secrets, as JSON
 *
 * Ends with status 0 when the mount is gone or it was told to stop: then the keeper ends, too.
 */
import { existsSync, fstatSync, readFileSync, readSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { errorToMessage } from '@openmaas/kernel/error-message'
import { MaasError } from '@openmaas/kernel/errors'
import { readPrivateFile, writePrivateFile } from '@openmaas/kernel/private-file'
import { write } from '@openmaas/kernel/posix/files'
import { setIoFlusher } from '@openmaas/kernel/posix/process'
import { serveControl } from '@openmaas/medium/engine/control'
import { FUSE_FD, KEY_FD } from '@openmaas/medium/engine/keeper'
import { outliveLog, processStart, readStatus, writeStatus } from '@openmaas/medium/engine/status'
import { controlSocketOf } from '@openmaas/medium/media/runtime-directory'
import {
  hasFingerprint,
  nameOfCertificate,
  NBD_TICKET_SEPARATOR,
} from '@openmaas/protocols/data/peer'
import { forgetSize } from '@openmaas/protocols/fuse/disk-server'
import { NbdClient } from '@openmaas/protocols/nbd/client'
import { parseNbdAddress } from '@openmaas/protocols/nbd/listen-address'
import { z } from 'zod'
import { identityFileOf } from '../session/identity-file.ts'
import { describeFailure, serveRemote } from './remote-engine.ts'
import { loadRemote } from './remote-record.ts'

/** What stands in the memfd, as it was when the medium was attached. */
export interface RemoteSecrets {
  readonly certificate: string
  readonly key: string
  readonly caCertificate: string | undefined
  readonly fingerprint: string
  readonly ticket: string
}

/**
 * A node that is away is waited for by the programs that use the disk, as long as they like: a
 * file system that gets an error is broken, one that waits goes on.
 */
const RECONNECT_TIMEOUT_MS = 24 * 3600_000
/** Two: the reads of one program beside the write-back of another. */
const CONNECTIONS = 2

const pairSchema = z.object({ certificate: z.string(), key: z.string() })

const directory = process.argv[2]
if (directory === undefined) {
  throw new MaasError('USAGE', 'this program is started by the agent')
}
// Or the keeper would try for ever: what was detached has no record.
if (!existsSync(path.join(directory, 'attached.json'))) process.exit(0)
outliveLog()
setIoFlusher() // Before there are threads, which inherit it. It is a help where it is granted.
const generation = (readStatus(directory)?.generation ?? 0) + 1
const about = {
  pid: process.pid,
  processStart: processStart(process.pid) ?? 0,
  keeperPid: process.ppid,
  generation,
}
writeStatus(directory, { ...about, state: 'starting' })
try {
  const record = loadRemote(directory)!
  const secrets = readSecrets()
  const device = await NbdClient.connect({
    address: parseNbdAddress(record.address),
    exportName: `${record.exportName}${NBD_TICKET_SEPARATOR}${secrets.ticket}`,
    tls: {
      identity: () => currentIdentity(directory) ?? secrets,
      ...(secrets.caCertificate !== undefined && { authorities: secrets.caCertificate }),
      trusts: (certificate, vouched) => {
        if (hasFingerprint(certificate, secrets.fingerprint)) {
          rememberNode(directory, nameOfCertificate(certificate))
          return true
        }
        // Certificates last a month, media may last longer: the same node, with a newer one.
        const node = nameOfCertificate(certificate)
        return vouched && node !== undefined && node === rememberedNode(directory)
      },
    },
    connectionCount: CONNECTIONS,
    mayGrow: true,
    reconnectTimeoutMs: RECONNECT_TIMEOUT_MS,
  })
  const engine = serveRemote({
    fuseFd: FUSE_FD,
    device,
    takesOver: generation > 1,
    onFailure: (operation, error) => process.stderr.write(describeFailure(operation, error)),
  })
  const stop = Promise.withResolvers<void>()
  serveControl(controlSocketOf(record.runtimeDirectory), {
    status: () => ({ generation, ...engine.counters(), overlayBytes: 0 }),
    freeze: () => Promise.reject(elsewhere()),
    rebase: () => Promise.reject(elsewhere()),
    resize: async () => {
      // A node that has grown the medium has let go of its clients: this connects anew.
      await device.read(0, Buffer.alloc(512))
      write(FUSE_FD, forgetSize())
      return { sizeBytes: device.size }
    },
    stop: async () => {
      setImmediate(() => stop.resolve()) // Answered before it ends.
      return {}
    },
  })
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop.resolve())
  writeStatus(directory, { ...about, state: 'serving' })
  await Promise.race([engine.ended, stop.promise])
  writeStatus(directory, { ...about, state: 'ended' })
  process.exit(0)
} catch (error) {
  writeStatus(directory, { ...about, state: 'failed', error: errorToMessage(error) })
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
  process.exit(1)
}

/**
 * The agent's certificate is renewed every few weeks, which a medium may outlive: what stands in
 * the agent's own file is shown at each connection.
 *
 * @returns undefined where the agent has none: the one in the server's process keeps it in memory,
 *   and it is good for more than a year
 */
function currentIdentity(from: string): Pick<RemoteSecrets, 'certificate' | 'key'> | undefined {
  try {
    const text = readPrivateFile(identityFileOf(path.dirname(path.dirname(from))))
    return text === undefined ? undefined : pairSchema.parse(JSON.parse(text))
  } catch (error) {
    process.stderr.write(describeFailure('read the identity', error))
    return undefined
  }
}

function elsewhere(): MaasError {
  return new MaasError('USAGE', 'the medium is changed where it is served')
}

function nodeFile(from: string): string {
  return path.join(from, 'node')
}

function rememberNode(from: string, name: string | undefined): void {
  if (name !== undefined && name !== rememberedNode(from)) {
    writePrivateFile(nodeFile(from), name)
  }
}

function rememberedNode(from: string): string | undefined {
  return existsSync(nodeFile(from)) ? readFileSync(nodeFile(from), 'utf8') : undefined
}

function readSecrets(): RemoteSecrets {
  const bytes = Buffer.alloc(fstatSync(KEY_FD).size)
  readSync(KEY_FD, bytes, 0, bytes.length, 0)
  return JSON.parse(bytes.toString('utf8')) as RemoteSecrets
}
