import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { SourcePlugin } from '@openmaas/source-kit/plugin'
import { discard, Relocations } from './relocate.ts'
import { requireSpace, writeMarker } from './target-directory.ts'
import { copyPass, type Seen } from './tree-copy.ts'

const ID = 'vdb_01JABCDEFGHJKMNPQRSTVWXYZ0'
const OTHER_ID = ID.replace(/0$/, '1')
/** A CI in a container may be root and not mount. */
const canMount = process.getuid?.() === 0 && mountsHere()
if (!canMount) console.log('skipped: the right to mount missing')
const context = { signal: new AbortController().signal, progress: () => undefined }

function mountsHere(): boolean {
  const point = mkdtempSync(join(tmpdir(), 'openmaas-mount-'))
  try {
    execFileSync('mount', ['--bind', point, point], { stdio: 'ignore' })
    execFileSync('umount', [point])
    return true
  } catch {
    return false
  } finally {
    rmdirSync(point)
  }
}

let root: string
let from: string
let to: string

beforeEach(() => {
  // A disk: the directory for temporary files may be memory.
  root = mkdtempSync('/var/tmp/openmaas-relocate-')
  chmodSync(root, 0o755)
  from = join(root, 'volume')
  to = join(root, 'permanent')
  mkdirSync(join(from, 'data/base'), { recursive: true })
  writeFileSync(join(from, 'data/base/1'), Buffer.alloc(300_000, 1))
  writeFileSync(join(from, 'openmaas.json'), '{}')
  symlinkSync('/elsewhere', join(from, 'data/link'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

function pass(seen: Seen = new Map(), still = true) {
  mkdirSync(to, { recursive: true })
  const { signal } = context
  return copyPass({ from, to, seen, still, signal, keep: new Set(), onBytes: () => undefined })
}

describe('a pass', () => {
  test('makes the copy equal: contents, links, modes, and what is gone is gone there', async () => {
    chmodSync(join(from, 'data/base/1'), 0o640)
    mkdirSync(join(to, 'data/old'), { recursive: true })
    writeFileSync(join(to, 'data/old/file'), 'x')
    const { sizeBytes } = await pass()
    expect(sizeBytes).toBe(300_002)
    expect(readFileSync(join(to, 'data/base/1'))).toEqual(readFileSync(join(from, 'data/base/1')))
    expect(lstatSync(join(to, 'data/base/1')).mode & 0o777).toBe(0o640)
    expect(readlinkSync(join(to, 'data/link'))).toBe('/elsewhere')
    expect(existsSync(join(to, 'data/old'))).toBe(false)
  })

  test('writes only the blocks that are other than in the copy, and leaves holes', async () => {
    const path = join(from, 'data/base/1')
    await pass()
    const changed = readFileSync(path)
    changed[100_000] = 7
    writeFileSync(path, changed)
    expect((await pass()).writtenBytes).toBe(16 * 1024)
    expect(readFileSync(join(to, 'data/base/1'))).toEqual(changed)
    truncateSync(path, 10)
    writeFileSync(join(from, 'data/sparse'), '')
    truncateSync(join(from, 'data/sparse'), 1 << 24)
    await pass()
    expect(lstatSync(join(to, 'data/base/1')).size).toBe(10)
    expect(lstatSync(join(to, 'data/sparse')).size).toBe(1 << 24)
    expect(lstatSync(join(to, 'data/sparse')).blocks).toBeLessThan(16)
  })

  test('reads what may have changed unseen once more, whatever its times say', async () => {
    const seen: Seen = new Map()
    await pass(seen)
    // Written a moment ago: a later write may have the same times.
    expect([...seen.keys()]).toEqual([])
  })

  test('does not go through a link that was laid in place of a directory', async () => {
    await pass()
    const outside = join(root, 'outside')
    mkdirSync(outside)
    writeFileSync(join(outside, 'letter'), 'mine')
    rmSync(join(to, 'data/base'), { recursive: true })
    symlinkSync(outside, join(to, 'data/base'))
    await pass()
    expect(readFileSync(join(outside, 'letter'), 'utf8')).toBe('mine')
    expect(existsSync(join(outside, '1'))).toBe(false)
    expect(lstatSync(join(to, 'data/base')).isDirectory()).toBe(true)
  })
})

describe('a relocation', () => {
  const order = (phase: 'look' | 'copy' | 'finish') => {
    const place = { engine: 'postgres', id: ID, directory: from, to }
    return { ...place, phase, bytesPerSecond: null }
  }
  const makePlugin = (did: string[]): SourcePlugin => {
    const plugin = {
      engine: 'postgres',
      title: 'postgres',
      mark: () => Promise.resolve(did.push('mark')),
      deactivate: () => {
        did.push('deactivate')
        writeFileSync(join(from, 'data/last'), 'words')
        return Promise.resolve({ stopped: true })
      },
    }
    return plugin as unknown as SourcePlugin
  }

  test('copies while it runs, stops it, and brings the rest, also after the agent was killed', async () => {
    const did: string[] = []
    const relocations = new Relocations()
    const copied = await relocations.relocate(makePlugin(did), order('copy'), context)
    expect(copied).toMatchObject({ sizeBytes: 300_002, stoppedMs: 0 })
    expect(did).toEqual([])
    const finished = await relocations.relocate(makePlugin(did), order('finish'), context)
    expect(did).toEqual(['mark', 'deactivate'])
    expect(readFileSync(join(to, 'data/last'), 'utf8')).toBe('words')
    expect(finished.writtenBytes).toBe(5)
    // Nobody heard of it: the next agent does not wait for what is stopped.
    writeFileSync(join(to, 'data/last'), 'wrong')
    const again = await new Relocations().relocate(makePlugin(did), order('finish'), context)
    expect(did).toEqual(['mark', 'deactivate', 'deactivate'])
    expect(again.stoppedMs).toBeGreaterThanOrEqual(finished.stoppedMs)
    expect(readFileSync(join(to, 'data/last'), 'utf8')).toBe('words')
    const place = { engine: 'postgres', id: ID, directory: to }
    expect(await discard(place, context.signal)).toEqual({ removed: true })
    expect(existsSync(to)).toBe(false)
    expect(await discard(place, context.signal)).toEqual({ removed: false })
  })

  test('looks first whether the directory can take it, and makes nothing', async () => {
    const look = (directory: string) =>
      new Relocations().relocate(makePlugin([]), { ...order('look'), to: directory }, context)
    const refused = expect.objectContaining({ code: 'DIRECTORY_UNFIT' })
    expect(await look(to)).toMatchObject({ sizeBytes: 300_002, writtenBytes: 0, passes: 0 })
    expect(existsSync(to)).toBe(false)
    mkdirSync(to)
    await look(to)
    expect(readdirSync(to)).toEqual([])
    writeFileSync(join(to, 'letter'), 'mine')
    await expect(look(to)).rejects.toEqual(refused)
    await expect(look(join(root, 'no/where'))).rejects.toEqual(refused)
    await expect(look(join(to, 'letter'))).rejects.toEqual(refused)
  })

  test('refuses what is not empty, another one’s, a link, a brick and a way that is not there', async () => {
    const relocate = (directory: string) =>
      new Relocations().relocate(makePlugin([]), { ...order('copy'), to: directory }, context)
    const refused = expect.objectContaining({ code: 'DIRECTORY_UNFIT' })
    mkdirSync(join(root, 'taken'))
    writeFileSync(join(root, 'taken/letter'), 'mine')
    await expect(relocate(join(root, 'taken'))).rejects.toEqual(refused)
    expect(readFileSync(join(root, 'taken/letter'), 'utf8')).toBe('mine')
    symlinkSync(root, join(root, 'link'))
    await expect(relocate(join(root, 'link/new'))).rejects.toEqual(refused)
    await expect(relocate(join(root, 'no/where'))).rejects.toEqual(refused)
    mkdirSync(join(root, 'brick'))
    writeFileSync(join(root, 'brick/pool.json.copy'), '{}')
    await expect(relocate(join(root, 'brick/inside'))).rejects.toEqual(refused)
    await relocate(to)
    const other = { ...order('copy'), id: OTHER_ID }
    await expect(new Relocations().relocate(makePlugin([]), other, context)).rejects.toEqual(
      refused,
    )
    const theirs = { engine: 'postgres', id: other.id, directory: to }
    await expect(discard(theirs, context.signal)).rejects.toEqual(refused)
  })

  test('refuses to lie in another one’s directory, at any depth', async () => {
    await new Relocations().relocate(makePlugin([]), order('copy'), context)
    const other = { ...order('copy'), id: OTHER_ID }
    mkdirSync(join(to, 'deep'))
    for (const nested of [join(to, 'nested'), join(to, 'deep/nested')]) {
      const made = new Relocations().relocate(makePlugin([]), { ...other, to: nested }, context)
      await expect(made).rejects.toThrow(`is below ${to}, which is the directory of a virtual`)
      expect(existsSync(nested)).toBe(false)
    }
  })

  test('removes neither another one’s files nor what is mounted, also when it copies', async () => {
    const relocate = () => new Relocations().relocate(makePlugin([]), order('copy'), context)
    await relocate()
    const place = { engine: 'postgres', id: ID, directory: to }
    const nested = join(to, 'data/nested')
    mkdirSync(nested)
    writeMarker(nested, { id: OTHER_ID, stoppedAt: null })
    writeFileSync(join(nested, 'letter'), 'mine')
    const belongs = `holds ${nested}, which belongs to the virtual database ${OTHER_ID}`
    await expect(discard(place, context.signal)).rejects.toThrow(belongs)
    await expect(relocate()).rejects.toThrow(belongs)
    expect(readFileSync(join(nested, 'letter'), 'utf8')).toBe('mine')
    expect(readFileSync(join(to, 'data/base/1')).length).toBe(300_000)
    // What is of the same database goes along.
    writeMarker(nested, { id: ID, stoppedAt: null })
    expect(await discard(place, context.signal)).toEqual({ removed: true })
  })

  test.skipIf(!canMount)('leaves everything as it is when something is mounted in it', async () => {
    const relocate = (directory: string) =>
      new Relocations().relocate(makePlugin([]), { ...order('copy'), to: directory }, context)
    await relocate(to)
    const elsewhere = join(root, 'elsewhere')
    mkdirSync(elsewhere)
    writeFileSync(join(elsewhere, 'letter'), 'mine')
    const point = join(to, 'mounted')
    mkdirSync(point)
    execFileSync('mount', ['--bind', elsewhere, point])
    try {
      const place = { engine: 'postgres', id: ID, directory: to }
      const refused = `has something mounted in it, at ${point}`
      await expect(discard(place, context.signal)).rejects.toThrow(refused)
      await expect(relocate(to)).rejects.toThrow(refused)
      rmSync(join(elsewhere, 'letter'))
      // Empty, and still no place: what is mounted there goes with its mount.
      await expect(relocate(point)).rejects.toThrow('is a mount point')
    } finally {
      execFileSync('umount', [point])
    }
    expect(existsSync(join(to, 'data/base/1'))).toBe(true)
  })

  test.each(['/proc/x', '/proc/1/x', '/sys/x', '/dev/pts/x', '/dev/pts', '/run/openmaas-x/y'])(
    'says in plain words that %s is no place for it',
    async (directory) => {
      const moved = new Relocations().relocate(
        makePlugin([]),
        { ...order('copy'), to: directory },
        context,
      )
      await expect(moved).rejects.toMatchObject({ code: 'DIRECTORY_UNFIT' })
    },
  )

  test('says how much room is missing', () => {
    expect(() => requireSpace(root, 2 ** 60)).toThrow(/1024 PiB are needed: .* are missing/)
  })
})
