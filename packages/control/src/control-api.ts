/** The API of a control plane: every handler there is, and what listens to what they do. */
import { Rounds } from '@openmaas/kernel/rounds'
import { join } from 'node:path'
import { AuditAnchors } from './audit/audit-anchors.ts'
import { AuditForwarder } from './audit/audit-forwarder.ts'
import { auditHandlers } from './audit/handlers.ts'
import { RefusalRecorder } from './audit/refusals.ts'
import { makeAuthenticate } from './auth/authenticate.ts'
import { authHandlers } from './auth/handlers.ts'
import { startAuthHousekeeping } from './auth/housekeeping.ts'
import { openSecret } from './auth/secret-repository.ts'
import { makeDatabaseHandlers } from './database/handlers.ts'
import { makeVirtualDatabaseHandlers } from './virtual-database/handlers.ts'
import { makeVirtualDatabaseListHandlers } from './virtual-database/list.ts'
import { makeVirtualDatabaseVerbs } from './virtual-database/verbs.ts'
import { makeGroupDatabaseHandlers } from './group/databases.ts'
import { makeGroupHandlers } from './group/handlers.ts'
import type { ControlOptions, Listen, Parts } from './control-parts.ts'
import { makeDocumentHandlers } from './documents/handlers.ts'
import { makeHostChannelHandlers } from './host/channel-handlers.ts'
import type { ChannelServer } from './host/channel-server.ts'
import { makeHostHandlers } from './host/handlers.ts'
import { makeJoinTokenHandlers } from './host/join-token-handlers.ts'
import { registerHandlers } from './http/handler.ts'
import type { Handlers } from './http/handler.ts'
import { makeHttpServer } from './http/server.ts'
import type { HttpServer } from './http/server.ts'
import type { JobEngine } from './job/engine.ts'
import { makeJobCalendarHandlers } from './job/calendar.ts'
import { makeJobHandlers } from './job/handlers.ts'
import { makeMediumHandlers } from './media/handlers.ts'
import { makeMediumListHandlers } from './media/list.ts'
import { describeAlert } from './monitor/alerts/texts.ts'
import { readCertificate } from './monitor/health.ts'
import { Monitor } from './monitor/monitor.ts'
import { notifyHandlers } from './monitor/notify/handlers.ts'
import { Notifier } from './monitor/notify/notifier.ts'
import { makeBrowseHandlers } from './points/browse.ts'
import { makePointHandlers } from './points/handlers.ts'
import { makePointListHandlers } from './points/list.ts'
import { makeComplianceHandlers } from './policy/compliance-handlers.ts'
import { makePolicyHandlers } from './policy/handlers.ts'
import { makePolicyOutlookHandlers } from './policy/outlook-handlers.ts'
import { makePoolHandlers } from './pools/handlers.ts'
import { makePoolMakingHandlers } from './pools/making.ts'
import { makeSourceHandlers } from './sources/handlers.ts'
import { makeSourceListHandlers } from './sources/list.ts'
import { makeSupportHandlers } from './support/support-bundle.ts'
import { WebhookDispatcher } from './webhook/dispatcher.ts'
import { makeWebhookHandlers } from './webhook/handlers.ts'

/** It lasts a year. */
const CERTIFICATE_EVERY_MS = 3600_000

export interface ApiParts extends Parts {
  readonly engine: JobEngine
  readonly channel: ChannelServer
  isEmbedded(hostId: string, nodeId: string): boolean
}

/** Not listening yet. What it starts ends with the stack, the server itself first. */
export async function openApi(
  options: ControlOptions,
  parts: ApiParts,
  stack: AsyncDisposableStack,
): Promise<HttpServer> {
  const { catalog, clock, random, events, serverKey, auth, settings } = parts
  const refusals = new RefusalRecorder(catalog, clock)
  const anchors = new AuditAnchors(catalog, clock, join(options.directory, 'audit.anchors'))
  const forwarder = new AuditForwarder(catalog, clock, settings)
  const dispatcher = new WebhookDispatcher({
    catalog,
    events,
    clock,
    random,
    serverKey,
    post: fetch,
    source: () => urlOf(options, options.api),
  })
  const monitor = makeMonitor(options, parts)
  const notifier = new Notifier({
    catalog,
    clock,
    random,
    serverKey,
    settings,
    fetch,
    describe: describeAlert,
  })
  for (const each of [anchors, forwarder, dispatcher, notifier, monitor]) {
    await each.start()
    stack.defer(() => each.stop())
  }
  stack.use(startAuthHousekeeping(auth))
  stack.defer(() => refusals.flush())
  const handlers = makeHandlers(options, parts, { anchors, monitor, notifier })
  const { key, cert } = await parts.ca.serverCredentials()
  const server = await makeHttpServer({
    catalog,
    clock,
    random,
    events,
    handlers,
    authenticate: makeAuthenticate(auth),
    version: options.version,
    idempotencyKey: Buffer.from(serverKey.derive('cursor', 'idempotency')),
    ...(!options.plain && {
      tls: { key, cert },
    }),
    checks: monitor.checks,
    metrics: monitor.metrics,
    onRefused: (refusal) => refusals.record(refusal),
    ...(options.consoleRoot !== undefined && { consoleRoot: options.consoleRoot }),
  })
  if (!options.plain) stack.use(keepCertificate(parts, server))
  return stack.use(server)
}

/** The server's certificate is made anew in its last month: an API that runs for years shows it. */
function keepCertificate({ ca, onError }: ApiParts, server: HttpServer): Rounds {
  const rounds = new Rounds({
    everyMs: CERTIFICATE_EVERY_MS,
    round: async () => server.setCertificate(await ca.serverCredentials()),
    onError,
  })
  rounds.start()
  return rounds
}

function makeMonitor(options: ControlOptions, parts: ApiParts): Monitor {
  const { catalog, clock, random, events, onError, ca } = parts
  const { version, directory, metricsPublic = false } = options
  return new Monitor({
    catalog,
    clock,
    random,
    events,
    onError,
    version,
    directory,
    metricsPublic,
    certificates: async () => [readCertificate('server', (await ca.serverCredentials()).cert)],
  })
}

function makeHandlers(
  options: ControlOptions,
  parts: ApiParts,
  watching: {
    readonly anchors: AuditAnchors
    readonly monitor: Monitor
    readonly notifier: Notifier
  },
): Handlers {
  const { anchors, monitor, notifier } = watching
  const context = {
    ...parts,
    notifier,
    daysToFull: monitor.daysToFull,
    jobs: parts.engine,
    version: options.version,
    post: fetch,
    anchors: () => anchors.read(),
    support: options.support,
    checks: monitor.checks,
    sealer: parts.vault.sealer,
    openSecret: (secretId: string) => openSecret(parts.catalog.db, secretId, parts.vault.opener),
    channelUrl: () => urlOf(options, { ...options.channel, port: parts.channel.port }),
  }
  return registerHandlers(
    { getHealth: async () => ({ body: { status: 'ok' as const } }) },
    authHandlers(parts.auth),
    auditHandlers(context),
    monitor.handlers,
    notifyHandlers(context),
    makeHostHandlers(context),
    makeHostChannelHandlers(context),
    makeJoinTokenHandlers(context),
    makePolicyHandlers(context),
    makePolicyOutlookHandlers(context),
    makeComplianceHandlers(context),
    makeSourceListHandlers(context),
    makeSourceHandlers(context),
    makePointListHandlers(context),
    makeBrowseHandlers(context),
    makePointHandlers(context),
    makePoolHandlers(context),
    makePoolMakingHandlers(context),
    makeMediumListHandlers(context),
    makeMediumHandlers(context),
    makeDatabaseHandlers(context),
    makeVirtualDatabaseListHandlers(context),
    makeVirtualDatabaseHandlers(context),
    makeVirtualDatabaseVerbs(context),
    makeGroupHandlers(context),
    makeGroupDatabaseHandlers(context),
    makeJobHandlers(context),
    makeJobCalendarHandlers(context),
    makeWebhookHandlers(context),
    makeDocumentHandlers(context),
    makeSupportHandlers(context),
  )
}

/** As others reach it: by the first name, not by the address it listens at. */
function urlOf({ names }: ControlOptions, { host, port }: Listen): string {
  const name = names[0] ?? host
  return `https://${name.includes(':') ? `[${name}]` : name}:${port}`
}
