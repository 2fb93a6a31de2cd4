/** A node with its data port open, and an agent's end of the wire. */
import { mkdirSync } from 'node:fs'
import type { CheckedParams, Params, Result } from '@openmaas/protocols/channel/orders'
import { ORDERS } from '@openmaas/protocols/channel/orders'
import type { AgentIdentity } from '@openmaas/agent/remote/channel-messages'
import { remoteCapture } from '@openmaas/agent/remote/remote-capture'
import { remoteRestore } from '@openmaas/agent/remote/remote-restore'
import { NodeSite } from '../node.test-support.ts'
import { makeTicketCheck } from '../security.ts'
import { DataServer } from './data-server.ts'
import { Pki } from './pki.test-support.ts'

export class DataSite implements AsyncDisposable {
  readonly site: NodeSite
  readonly pki: Pki
  readonly identity: AgentIdentity
  server!: DataServer
  port = 0
  readonly problems: string[] = []

  private constructor(site: NodeSite) {
    this.site = site
    mkdirSync(site.files.join('pki'))
    this.pki = new Pki(site.files.join('pki'))
    this.identity = this.pki.identity()
  }

  static async make(): Promise<DataSite> {
    const made = new DataSite(await NodeSite.make())
    await made.listen()
    return made
  }

  async listen(): Promise<void> {
    const { node } = this.site
    const tickets = makeTicketCheck(
      () => this.pki.ticketKeys,
      () => Date.now(),
    )
    this.server = new DataServer({ node, tls: this.pki.node, tickets })
    this.port = await this.server.listen({ host: '127.0.0.1', port: this.port })
  }

  captureParams(
    path: string,
    more: Partial<Params<'source.capture'>> = {},
  ): CheckedParams<'source.capture'> {
    const { sourceId = 'src_1' } = more
    const { poolId } = this.site
    return ORDERS['source.capture'].params.parse({
      ...this.site.captureParams(path),
      target: {
        kind: 'node',
        poolId,
        address: `127.0.0.1:${this.port}`,
        fingerprint: this.pki.fingerprint,
        ticket: this.pki.ticket({ poolId, sourceId }),
        channels: 2,
      },
      ...more,
    })
  }

  capture(
    path: string,
    more: Partial<Params<'source.capture'>> = {},
    signal = new AbortController().signal,
  ): Promise<Result<'source.capture'>> {
    const { identity } = this
    return remoteCapture(this.captureParams(path, more), {
      identity,
      signal,
      progress: () => undefined,
    })
  }

  restore(
    snapshotId: string,
    to: string,
    more: Partial<Params<'point.restore'>> = {},
  ): Promise<Result<'point.restore'>> {
    const { poolId } = this.site
    const snapshotIds = [snapshotId]
    const params = ORDERS['point.restore'].params.parse({
      sourceId: 'src_1',
      snapshotId,
      kind: 'tree',
      paths: [],
      to,
      conflict: 'fail',
      dryRun: false,
      target: {
        kind: 'node',
        poolId,
        address: `127.0.0.1:${this.port}`,
        fingerprint: this.pki.fingerprint,
        ticket: this.pki.ticket({ poolId, purpose: 'restore', snapshotIds }),
        channels: 2,
      },
      bytesPerSecond: null,
      ...more,
    })
    const { identity } = this
    const { signal } = new AbortController()
    return remoteRestore(params, { identity, signal, progress: () => undefined })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.close()
    await this.site[Symbol.asyncDispose]()
  }
}
