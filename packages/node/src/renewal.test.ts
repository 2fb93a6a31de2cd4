import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { connect } from 'node:tls'
import { X509Certificate } from 'node:crypto'
import { expect, test } from 'vitest'
import { NbdClient } from '@openmaas/protocols/nbd/client'
import { requires } from '@openmaas/testkit/requires'
import { DataServer } from './data/data-server.ts'
import { Pki } from './data/pki.test-support.ts'
import { MediumExports } from './medium-exports.ts'
import { NodeSite } from './node.test-support.ts'
import { makeTicketCheck } from './security.ts'

const host = '127.0.0.1'

requires(['openssl'], () => {
  test('both ports show a renewed certificate to the next who connects, and keep who is there', async () => {
    await using site = await NodeSite.make()
    const { node } = site
    mkdirSync(site.files.join('pki'))
    const pki = new Pki(site.files.join('pki'))
    const { certificate: cert, key } = pki.identity()
    const tickets = makeTicketCheck(
      () => pki.ticketKeys,
      () => Date.now(),
    )
    await using data = new DataServer({ node, tls: pki.node, tickets })
    await using exports = new MediumExports({ node, tls: pki.node, tickets })
    const dataPort = await data.listen({ host, port: 0 })
    const nbd = await exports.listen({ host, port: 0 })

    const reach = async () => {
      const socket = connect({ host, port: dataPort, key, cert, rejectUnauthorized: false })
      await once(socket, 'secureConnect')
      return socket
    }
    const shownByData = async (): Promise<string> => {
      const socket = await reach()
      const { fingerprint256 } = socket.getPeerCertificate()
      socket.destroy()
      return fingerprint256
    }
    const shownByNbd = async (): Promise<string> => {
      let shown = ''
      const trusts = ({ fingerprint256 }: { fingerprint256: string }): boolean => {
        shown = fingerprint256
        return true
      }
      const tls = { certificate: cert, key, trusts }
      const client = NbdClient.connect({ address: nbd, exportName: 'none?x', tls })
      await expect(client).rejects.toMatchObject({ code: 'NBD_EXPORT_UNKNOWN' })
      return shown
    }
    const of = (pem: string): string => new X509Certificate(pem).fingerprint256

    const old = of(pki.node.certificate)
    expect([await shownByData(), await shownByNbd()]).toEqual([old, old])
    using earlier = { socket: await reach(), [Symbol.dispose]: () => earlier.socket.destroy() }
    const renewed = pki.makeNode('renewed')
    data.renew(renewed)
    exports.renew(renewed)
    const now = of(renewed.certificate)
    expect(now).not.toBe(old)
    expect([await shownByData(), await shownByNbd()]).toEqual([now, now])
    expect(earlier.socket.destroyed).toBe(false)
  })
})
