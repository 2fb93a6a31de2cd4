/** NBD over TLS with certificates: other people's clients on our server, ours on both. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawn } from 'node:child_process'
import { NbdClient } from '@openmaas/protocols/nbd/client'
import type { NbdClientTls } from '@openmaas/protocols/nbd/client-connection'
import { requires } from '@openmaas/testkit/requires'
import { waitFor } from '@openmaas/testkit/wait-for'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeCertificates } from './certificates.ts'
import type { Certificates } from './certificates.ts'
import { run, ServerProcess } from './server-process.ts'

const SIZE = 4 * 1024 * 1024

requires(['openssl'], () => {
  describe('NBD over TLS', () => {
    let directory: string
    let certificates: Certificates
    let server: ServerProcess
    let address: { host: string; port: number }

    const pem = (name: string): Buffer => readFileSync(join(certificates.directory, name))
    const ours = (): NbdClientTls => ({
      authorities: pem('ca-cert.pem'),
      certificate: pem('client-cert.pem'),
      key: pem('client-key.pem'),
    })

    beforeEach(async () => {
      directory = mkdtempSync(join(tmpdir(), 'nbd-tls-'))
      certificates = makeCertificates(directory)
      const file = join(directory, 'disk')
      writeFileSync(file, Buffer.alloc(SIZE, 0x42))
      const at = (name: string): string => join(directory, name)
      server = await ServerProcess.begin({
        file,
        address: { host: '127.0.0.1', port: 0 },
        tls: {
          key: at('server-key.pem'),
          certificate: at('server-cert.pem'),
          authority: at('ca-cert.pem'),
        },
      })
      address = server.address as typeof address
    })
    afterEach(async () => {
      await server[Symbol.asyncDispose]()
      rmSync(directory, { recursive: true, force: true })
    })

    test('our client reads and writes, several requests at once', async () => {
      await using client = await NbdClient.connect({ address, tls: ours(), connectionCount: 2 })
      const source = Buffer.alloc(SIZE - 5, 0x17)
      await client.write(5, source)
      await client.flush()
      const pieces = Array.from({ length: 64 }, () => Buffer.alloc(65_536))
      await Promise.all(pieces.map((piece, i) => client.read(i * 65_536, piece)))
      expect(Buffer.concat(pieces).subarray(5).equals(source)).toBe(true)
    })

    test('nobody gets in without TLS, a certificate, or the right name', async () => {
      const code = (tls?: NbdClientTls): Promise<string> =>
        NbdClient.connect({ address, ...(tls === undefined ? {} : { tls }) }).then(
          () => 'in',
          (error: { code: string }) => error.code,
        )
      const { certificate: _certificate, key: _key, ...anonymous } = ours()
      const { authorities: _authorities, ...trustless } = ours()
      expect(await code()).toBe('NBD_TLS_REQUIRED')
      expect(await code(anonymous)).toBe('NBD_UNREACHABLE')
      expect(await code(trustless)).toBe('NBD_UNREACHABLE')
      expect(await code({ ...ours(), serverName: 'elsewhere' })).toBe('NBD_UNREACHABLE')
      expect(await code(ours())).toBe('in')
    })

    requires(['nbdinfo', 'nbdcopy'], () => {
      test('nbdinfo and nbdcopy get in with a certificate, and not without', () => {
        const uri = (certs: string): string =>
          `nbds://localhost:${address.port}/?tls-certificates=${certs}`
        const info = run(directory, 'nbdinfo', '--json', uri(directory))
        expect(JSON.parse(info)).toMatchObject({ TLS: true, structured: true })
        run(directory, 'nbdcopy', uri(directory), join(directory, 'copy'))
        expect(readFileSync(join(directory, 'copy')).equals(Buffer.alloc(SIZE, 0x42))).toBe(true)
        const plain = `nbd://localhost:${address.port}`
        expect(() => run(directory, 'nbdinfo', plain)).toThrow(/TLS|requires/i)
        expect(() => run(directory, 'nbdinfo', uri(certificates.anonymous))).toThrow(/nbdinfo/)
      })
    })

    requires(['qemu-img'], () => {
      test('qemu-img converts over TLS', () => {
        const creds = `tls-creds-x509,id=tls0,endpoint=client,dir=${directory}`
        const image = [
          'driver=nbd',
          'server.type=inet',
          'server.host=localhost',
          `server.port=${address.port}`,
          'tls-creds=tls0',
        ]
        const options = ['--object', creds, '--image-opts', image.join(',')]
        const info = run(directory, 'qemu-img', 'info', '--output=json', ...options)
        expect(JSON.parse(info)).toMatchObject({ 'virtual-size': SIZE })
      })
    })

    requires(['nbdkit'], () => {
      test('our client speaks TLS with nbdkit', async () => {
        const socketPath = join(directory, 'nbdkit.sock')
        const args = ['-f', '-U', socketPath, '--tls=require', `--tls-certificates=${directory}`]
        const child = spawn('nbdkit', [...args, '--tls-verify-peer', 'memory', String(SIZE)], {
          stdio: 'inherit',
        })
        const gone = new Promise((resolve) => child.once('exit', resolve))
        try {
          const options = { address: { socketPath }, tls: { ...ours(), serverName: 'localhost' } }
          const client = await waitFor('nbdkit listens', () => NbdClient.connect(options))
          await client.write(1, Buffer.from('over TLS'))
          const target = Buffer.alloc(8)
          await client.read(1, target)
          expect(target.toString()).toBe('over TLS')
          await client.close()
        } finally {
          child.kill('SIGTERM')
          await gone
        }
      })
    })
  })
})
