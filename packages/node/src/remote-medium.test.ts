/**
 * A point of one host's pool as a disk of another: node, TLS, NBD, FUSE, loop, mount; and who dies
 * in between. The node is a process of its own on this machine.
 */
import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import process from 'node:process'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { attachRemote, detachRemote, listAttached } from '@openmaas/agent/attach/remote-attach'
import { listMounts } from '@openmaas/agent/attach/fuse-mount'
import { readStatus } from '@openmaas/medium/engine/status'
import { mediumDirectory } from '@openmaas/medium/media/record'
import type { MediumId } from '@openmaas/kernel/ids'
import { writePrivateFile } from '@openmaas/kernel/private-file'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { requires } from '@openmaas/testkit/requires'
import { HOST_ID, Pki } from './data/pki.test-support.ts'
import { NodeProcess } from './node-process.test-support.ts'

const run = promisify(execFile)
const refused = (code: string): Error => expect.objectContaining({ code }) as Error
// Of this process alone: what is attached has a place of its own in /run.
const MEDIUM = `mnt_remote${process.pid}`

requires({ programs: ['openssl'], paths: ['/dev/fuse', '/dev/loop-control'], root: true }, () => {
  let site: TemporaryDirectory
  let pki: Pki
  let node: NodeProcess
  let poolId: string
  let snapshotId: string

  const startNode = (dataPort = 0, nbdPort = 0, tls = pki.node): Promise<NodeProcess> =>
    NodeProcess.start({
      directory: site.join('node'),
      tls,
      ticketKeys: pki.ticketKeys,
      host: '127.0.0.1',
      dataPort,
      nbdPort,
    })

  beforeEach(async () => {
    site = new TemporaryDirectory({ inMemory: true })
    mkdirSync(site.join('pki'))
    pki = new Pki(site.join('pki'))
    node = await startNode()
    const bricks = [site.join('pool')]
    poolId = (await node.order('pool.create', { bricks, redundancy: 'single' })).poolId
    const source = site.join('source')
    mkdirSync(source)
    writeFileSync(`${source}/hello.txt`, 'hello from the other host')
    writeFileSync(`${source}/big`, Buffer.alloc(5_000_000, 'xyz'))
    const captured = await node.order('source.capture', {
      sourceId: 'src_1',
      sourceName: 'etc',
      kind: 'files',
      path: source,
      rules: {},
      target: { kind: 'local', poolId },
      parentSnapshotId: null,
      requestId: 'r1',
      tags: {},
      lockUntil: null,
      bytesPerSecond: null,
    })
    snapshotId = captured.snapshotId
  })
  afterEach(async () => {
    await detachRemote({ data: site.join('agent') }, { mediumId: MEDIUM, force: true })
    await node.order('medium.withdraw', { mediumId: MEDIUM, poolId, force: true })
    await node.kill()
    site.dispose()
  })

  const options = () => {
    const identity = pki.identity()
    return { data: site.join('agent'), identity: () => identity }
  }
  const saveIdentity = (authority: Pki): void => {
    const { certificate, key } = authority.identity()
    writePrivateFile(site.join('agent', 'identity.json'), JSON.stringify({ certificate, key }))
  }
  const serve = (readOnly = false) =>
    node.order('medium.serve', {
      mediumId: MEDIUM,
      poolId,
      snapshotId,
      sourceName: 'etc',
      readOnly,
      quotaBytes: null,
      bytesPerSecond: null,
      local: null,
    })
  const ticket = (more: object = {}): string =>
    pki.ticket({ poolId, purpose: 'nbd', exportName: MEDIUM, hostId: HOST_ID, ...more })
  const request = (text = ticket(), readOnly = false) => ({
    mediumId: MEDIUM,
    readOnly,
    mountPath: site.join('mounted'),
    nbd: {
      address: `127.0.0.1:${node.ports.nbdPort}`,
      exportName: MEDIUM,
      fingerprint: pki.fingerprint,
      ticket: text,
    },
  })
  const kill = (pid: number): boolean => process.kill(pid, 'SIGKILL')

  test('is mounted, written to, detached and withdrawn; twice is as once', async () => {
    const served = await serve()
    expect(served).toMatchObject({ exportName: MEDIUM, device: null, mountPath: null })
    expect((await serve()).poolMediumId).toBe(served.poolMediumId)
    const attached = await attachRemote(options(), request())
    expect(await attachRemote(options(), request())).toEqual(attached)
    const mount = attached.mountPath!
    expect(readFileSync(`${mount}/hello.txt`, 'utf8')).toBe('hello from the other host')
    expect(readFileSync(`${mount}/big`).equals(Buffer.alloc(5_000_000, 'xyz'))).toBe(true)
    writeFileSync(`${mount}/new`, 'written over there')
    const data = site.join('agent')
    expect(listAttached({ data })).toMatchObject([{ mediumId: MEDIUM, state: 'attached' }])
    const place = { mediumId: MEDIUM, poolId }
    const busy = node.order('medium.withdraw', { ...place, force: false })
    await expect(busy).rejects.toThrowError(refused('MEDIUM_BUSY'))
    expect(await detachRemote({ data }, { mediumId: MEDIUM, force: false })).toBe(true)
    expect(await detachRemote({ data }, { mediumId: MEDIUM, force: false })).toBe(false)
    expect(listMounts().some(({ target }) => target === mount)).toBe(false)
    // What was written there stands on the node, for whoever attaches it next.
    await attachRemote(options(), request())
    expect(readFileSync(`${mount}/new`, 'utf8')).toBe('written over there')
    await detachRemote({ data }, { mediumId: MEDIUM, force: false })
    const gone = await node.order('medium.withdraw', { ...place, force: false })
    expect(gone).toEqual({ withdrawn: true })
    expect((await node.order('medium.served', { poolId })).media).toEqual([])
  })

  test('a mount that is gone, or takes no writes since an error, is made anew', async () => {
    await serve()
    const { device, mountPath } = await attachRemote(options(), request())
    writeFileSync(`${mountPath!}/before`, 'kept')
    await run('umount', [mountPath!])
    expect(await attachRemote(options(), request())).toMatchObject({ mountPath })
    expect(readFileSync(`${mountPath!}/before`, 'utf8')).toBe('kept')
    const source = listMounts().find(({ target }) => target === mountPath)!.source
    expect([device, source].every((path) => path.startsWith('/dev/loop'))).toBe(true)
    await run('mount', ['-o', 'remount,errors=remount-ro', mountPath!])
    writeFileSync(`/sys/fs/ext4/${source.slice('/dev/'.length)}/trigger_fs_error`, '1')
    expect(() => writeFileSync(`${mountPath!}/after`, '')).toThrow(/EROFS/)
    await detachRemote({ data: site.join('agent') }, { mediumId: MEDIUM, force: true })
    await attachRemote(options(), request())
    writeFileSync(`${mountPath!}/after`, 'taken')
    expect(readFileSync(`${mountPath!}/before`, 'utf8')).toBe('kept')
  })

  test('whoever is killed, the disk goes on and keeps what was written', async () => {
    const { poolMediumId } = await serve()
    const { mountPath } = await attachRemote(options(), request())
    const write = async (name: string): Promise<void> => {
      const file = `${mountPath!}/${name}`
      await promisify(execFile)('sh', ['-c', `echo -n ${name} > ${file} && sync -f ${file}`])
    }
    await write('one')
    // The process that serves it here.
    kill(readStatus(site.join('agent', 'attached', MEDIUM))!.pid)
    await write('two')
    // The medium's engine on the node.
    const directory = mediumDirectory(site.join('pool'), poolMediumId as MediumId)
    kill(readStatus(directory)!.pid)
    await write('three')
    // The node itself, while somebody writes.
    const { dataPort, nbdPort } = node.ports
    await node.kill()
    const writing = write('four')
    // It comes back with a newer certificate: it is the same node all the same.
    node = await startNode(dataPort, nbdPort, pki.makeNode('renewed'))
    await writing
    await node.kill()
    node = await startNode(dataPort, nbdPort)
    await detachRemote({ data: site.join('agent') }, { mediumId: MEDIUM, force: false })
    await attachRemote(options(), request())
    for (const name of ['one', 'two', 'three', 'four']) {
      expect(readFileSync(`${mountPath!}/${name}`, 'utf8')).toBe(name)
    }
  })

  test('a medium that outlives the certificate it was attached with shows the renewed one', async () => {
    await serve()
    const { mountPath } = await attachRemote(options(), request())
    const { dataPort, nbdPort } = node.ports
    mkdirSync(site.join('pki2'))
    // The node knows only the new one: whoever shows the old one is turned away.
    const later = new Pki(site.join('pki2'))
    saveIdentity(later)
    await node.kill()
    const file = `${mountPath!}/after`
    const command = `echo -n renewed > ${file} && sync -f ${file}`
    const writing = promisify(execFile)('sh', ['-c', command])
    node = await startNode(dataPort, nbdPort, { ...pki.node, authorities: later.authorities })
    await writing
    // So does the process that takes the place of one that died.
    kill(readStatus(site.join('agent', 'attached', MEDIUM))!.pid)
    await promisify(execFile)('sync', ['-f', file])
    expect(readFileSync(file, 'utf8')).toBe('renewed')
  })

  test('a node that is away holds a detach up, not the agent, and nothing written is lost', async () => {
    await serve()
    const { mountPath } = await attachRemote(options(), request())
    writeFileSync(`${mountPath!}/late`, 'not written back yet')
    const { dataPort, nbdPort } = node.ports
    await node.kill()
    const order = { mediumId: MEDIUM, force: false }
    const data = site.join('agent')
    let ticks = 0
    const heart = setInterval(() => (ticks += 1), 20)
    try {
      const slow = detachRemote({ data, unmountTimeoutMs: 600 }, order)
      await expect(slow).rejects.toThrowError(refused('MEDIUM_UNMOUNT_SLOW'))
      // With the main thread held up there would be none.
      expect(ticks).toBeGreaterThan(3)
      const cancel = AbortSignal.timeout(300)
      const cancelled = detachRemote({ data }, order, cancel)
      await expect(cancelled).rejects.toThrowError(refused('CANCELLED'))
    } finally {
      clearInterval(heart)
    }
    // What cannot be written back is not said to be attached, and is not given up.
    expect(listAttached({ data })).toMatchObject([{ state: 'interrupted' }])
    const detached = detachRemote({ data }, order)
    node = await startNode(dataPort, nbdPort)
    expect(await detached).toBe(true)
    await attachRemote(options(), request())
    expect(readFileSync(`${mountPath!}/late`, 'utf8')).toBe('not written back yet')
    // By force it goes, whoever is away.
    writeFileSync(`${mountPath!}/lost`, 'given up')
    await node.kill()
    expect(await detachRemote({ data }, { ...order, force: true })).toBe(true)
    expect(listMounts().some(({ target }) => target === mountPath)).toBe(false)
    expect(listAttached({ data })).toEqual([])
    node = await startNode(dataPort, nbdPort)
  })

  test('a ticket that does not fit opens nothing, and nothing is left behind', async () => {
    await serve(true)
    const tickets = {
      'of another host': ticket({ hostId: 'hst_other' }),
      'for another medium': ticket({ exportName: 'mnt_other' }),
      'for a capture': ticket({ purpose: 'capture' }),
      'that has expired': ticket({ expiresAt: Date.now() - 1000 }),
    }
    for (const [what, text] of Object.entries(tickets)) {
      const attached = attachRemote(options(), request(text, true))
      await expect(attached, what).rejects.toThrowError(refused('NBD_EXPORT_UNKNOWN'))
      expect(listAttached({ data: site.join('agent') })).toEqual([])
      expect(listMounts().some(({ source }) => source === `openmaas:${MEDIUM}`)).toBe(false)
    }
  })
})
