/** Certificates by openssl, laid out as GnuTLS programs (libnbd, qemu) look for them. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from './server-process.ts'

export interface Certificates {
  /** ca-cert.pem, client-cert.pem, client-key.pem, server-cert.pem, server-key.pem. */
  readonly directory: string
  /** The same without a client certificate. */
  readonly anonymous: string
}

export function makeCertificates(directory: string): Certificates {
  const at = (name: string): string => join(directory, name)
  const openssl = (...args: string[]): void => void run(directory, 'openssl', ...args)
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  openssl(
    'req',
    '-x509',
    ...key,
    '-keyout',
    at('ca-key.pem'),
    '-out',
    at('ca-cert.pem'),
    '-days',
    '2',
    '-subj',
    '/CN=interop authority',
    '-addext',
    'basicConstraints=critical,CA:TRUE',
    '-addext',
    'keyUsage=critical,keyCertSign',
  )
  for (const [name, usage] of [
    ['server', 'serverAuth'],
    ['client', 'clientAuth'],
  ] as const) {
    const request = at(`${name}.csr`)
    openssl(
      'req',
      ...key,
      '-keyout',
      at(`${name}-key.pem`),
      '-out',
      request,
      '-subj',
      `/CN=${name}`,
    )
    const extensions = [
      'basicConstraints=CA:FALSE',
      'keyUsage=critical,digitalSignature',
      `extendedKeyUsage=${usage}`,
      'subjectAltName=DNS:localhost,IP:127.0.0.1',
    ]
    writeFileSync(at('extensions'), extensions.join('\n'))
    openssl(
      'x509',
      '-req',
      '-in',
      request,
      '-CA',
      at('ca-cert.pem'),
      '-CAkey',
      at('ca-key.pem'),
      '-CAcreateserial',
      '-days',
      '2',
      '-out',
      at(`${name}-cert.pem`),
      '-extfile',
      at('extensions'),
    )
  }
  const anonymous = at('anonymous')
  mkdirSync(anonymous)
  copyFileSync(at('ca-cert.pem'), join(anonymous, 'ca-cert.pem'))
  return { directory, anonymous }
}
