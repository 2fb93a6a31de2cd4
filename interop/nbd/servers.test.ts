/** Our NBD client on other people's servers. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { NbdClient } from '@openmaas/protocols/nbd/client'
import { requires } from '@openmaas/testkit/requires'
import { verifyBlockDevice } from '@openmaas/testkit/verify-block-device'
import { waitFor } from '@openmaas/testkit/wait-for'

const SIZE = 4 * 1024 * 1024

/** Starts a server of others on a socket; the arguments name it as SOCKET and the disk as DISK. */
async function begin(program: string, args: readonly string[]) {
  const directory = mkdtempSync(join(tmpdir(), 'nbd-interop-'))
  const socketPath = join(directory, 'nbd.sock')
  const disk = join(directory, 'disk')
  writeFileSync(disk, Buffer.alloc(SIZE))
  const named = args.map((arg) => arg.replace('SOCKET', socketPath).replace('DISK', disk))
  const child: ChildProcess = spawn(program, named, { stdio: 'ignore' })
  const gone = new Promise((resolve) => child.once('exit', resolve))
  const address = { socketPath }
  // The file is there before the server listens, so only a connection tells.
  await waitFor(`${program} listens`, async () => {
    await (await NbdClient.connect({ address })).close()
    return true
  })
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM')
    await gone
    rmSync(directory, { recursive: true, force: true })
  }
  return { address, stop }
}

function verify(name: string, program: string, args: readonly string[], connectionCount = 1): void {
  verifyBlockDevice(
    name,
    async () => {
      const { address, stop } = await begin(program, args)
      const device = await NbdClient.connect({ address, connectionCount })
      return { device, dispose: stop }
    },
    { seeds: 2 },
  )
}

requires(['nbdkit'], () => {
  const base = ['-f', '-U', 'SOCKET']
  const memory = ['memory', String(SIZE)]
  verify('our client of nbdkit', 'nbdkit', [...base, ...memory], 4)
  verify('our client of nbdkit without structured replies', 'nbdkit', [
    ...base,
    '--no-sr',
    ...memory,
  ])
})

requires(['qemu-nbd'], () => {
  verify('our client of qemu-nbd', 'qemu-nbd', [
    '--persistent',
    '--shared=4',
    '--format=raw',
    '--socket=SOCKET',
    'DISK',
  ])
})
